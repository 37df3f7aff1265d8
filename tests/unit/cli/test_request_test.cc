#include "control/cli/test_request.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

TestOptions Options() {
  TestOptions options;
  options.server = "lab:4040";
  return options;
}

TEST(TestRequestTest, DefaultsAreBothDirectionsAtAModestRate) {
  const auto request = MakeTestRequest(Options());
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->remote().address(), "lab:4040");
  ASSERT_EQ(request->directions_size(), 2);
  EXPECT_EQ(request->directions(0), record::v1::DOWN);
  const auto& parameters = request->parameters();
  EXPECT_EQ(parameters.rate_bps(), 100'000'000u);
  EXPECT_EQ(parameters.duration_ns(), 10'000'000'000u);
  EXPECT_EQ(parameters.payload(0).udp_payload_bytes(), 1472u);
  EXPECT_EQ(parameters.streams(), 1u);
  EXPECT_EQ(parameters.ip_version(), 4u);
}

TEST(TestRequestTest, TakesAPacing) {
  TestOptions options = Options();
  options.pacing = "burst:16";
  const auto request = MakeTestRequest(options);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->parameters().pacing(), record::v1::BURST);
  EXPECT_EQ(request->parameters().burst_packets(), 16u);
}

TEST(TestRequestTest, MetadataIsKeyAndValue) {
  TestOptions options = Options();
  options.metadata = {"access=fiber", "note=a=b", "empty="};
  const auto request = MakeTestRequest(options);
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_EQ(request->metadata_size(), 3);
  EXPECT_EQ(request->metadata(1).key(), "note");
  EXPECT_EQ(request->metadata(1).value(), "a=b");
  for (const char* wrong : {"access", "=fiber", ""}) {
    options.metadata = {wrong};
    EXPECT_NE(MakeTestRequest(options).status().message().find("--metadata"), std::string::npos);
  }
}

TEST(TestRequestTest, TakesEveryFlag) {
  TestOptions options = Options();
  options.direction = "up";
  options.rate = "max";
  options.duration = "500ms";
  options.ip = 6;
  options.streams = 8;
  options.dscp = 46;
  options.experiment = "e";
  options.purpose = "p";
  options.access_token = "t";
  options.plaintext = true;
  const auto request = MakeTestRequest(options);
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_EQ(request->directions_size(), 1);
  EXPECT_EQ(request->directions(0), record::v1::UP);
  EXPECT_TRUE(request->parameters().rate_max());
  EXPECT_EQ(request->parameters().rate_bps(), 0u);
  EXPECT_EQ(request->parameters().payload(0).udp_payload_bytes(), 1452u);
  EXPECT_EQ(request->parameters().dscp(), 46u);
  EXPECT_TRUE(request->remote().plaintext());
  EXPECT_EQ(request->access_token(), "t");
}

TEST(TestRequestTest, ErrorsNameTheFlag) {
  const struct {
    void (*change)(TestOptions*);
    const char* flag;
  } kCases[] = {
      {[](TestOptions* o) { o->server = ""; }, "SERVER: "},
      {[](TestOptions* o) { o->direction = "sideways"; }, "--direction: "},
      {[](TestOptions* o) { o->rate = "0"; }, "--rate: "},
      {[](TestOptions* o) { o->duration = "soon"; }, "--duration: "},
      {[](TestOptions* o) { o->payload = "17"; }, "--payload: "},
      {[](TestOptions* o) { o->streams = 0; }, "--streams: "},
      {[](TestOptions* o) { o->ip = 5; }, "--ip: "},
      {[](TestOptions* o) { o->dscp = 64; }, "--dscp: "},
      {[](TestOptions* o) { o->pacing = "burst"; }, "--pacing: "},
      {[](TestOptions* o) {
         o->pacing = "poisson";
         o->rate = "max";
       },
       "--pacing: "},
      {[](TestOptions* o) {
         o->pacing = "ramp:1M-2M";
         o->rate = "2M";
       },
       "--rate: "},
      {[](TestOptions* o) { o->ca = "/nonexistent.pem"; }, "--ca: "},
  };
  for (const auto& c : kCases) {
    TestOptions options = Options();
    c.change(&options);
    const auto request = MakeTestRequest(options);
    ASSERT_FALSE(request.ok()) << c.flag;
    EXPECT_EQ(request.status().message().find(c.flag), 0u) << request.status();
  }
}

TEST(TestRequestTest, ADeviceWantsAPrivatePair) {
  TestOptions options = Options();
  EXPECT_FALSE(options.WantsPrivatePair());
  options.port = "data";
  EXPECT_FALSE(options.WantsPrivatePair());
  options.port = "af_packet:eth1,ip4=192.0.2.1/24";
  EXPECT_TRUE(options.WantsPrivatePair());
}

}  // namespace
}  // namespace weir::cli
