#include "control/cli/bench_request.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

BenchOptions To(const std::string& peer) {
  BenchOptions options;
  options.peer = peer;
  return options;
}

std::string Fault(const BenchOptions& options, BenchEnd end = BenchEnd::kGenerate) {
  const auto trials = MakeBenchTrials(options, end);
  return trials.ok() ? "" : std::string(trials.status().message());
}

TEST(BenchRequest, ATrialForEachFrameSize) {
  BenchOptions options = To("198.18.0.2");
  options.frame = "rfc2544";
  const auto trials = MakeBenchTrials(options, BenchEnd::kGenerate);
  ASSERT_TRUE(trials.ok());
  const uint32_t frames[] = {64, 128, 256, 512, 1024, 1280, 1518};
  ASSERT_EQ(trials->size(), std::size(frames));
  for (uint32_t i = 0; i < trials->size(); ++i) {
    const BenchTrial& trial = (*trials)[i];
    EXPECT_EQ(trial.frame_bytes, frames[i]);
    EXPECT_EQ(trial.request.trial(), i);
    EXPECT_EQ(trial.request.parameters().payload(0).udp_payload_bytes(), frames[i] - 46);
  }
}

TEST(BenchRequest, FramesOfIpv6AreLargerByItsHeader) {
  BenchOptions options = To("2001:db8::2");
  options.frame = "84";
  const auto trials = MakeBenchTrials(options, BenchEnd::kGenerate);
  ASSERT_TRUE(trials.ok());
  EXPECT_EQ((*trials)[0].request.parameters().ip_version(), 6u);
  EXPECT_EQ((*trials)[0].request.parameters().payload(0).udp_payload_bytes(), 18u);
  options.frame = "64";
  EXPECT_NE(Fault(options).find("84 to"), std::string::npos) << Fault(options);
}

TEST(BenchRequest, PeersAreAddressesWithOrWithoutAPort) {
  const auto request = [](const std::string& peer) {
    return (*MakeBenchTrials(To(peer), BenchEnd::kGenerate))[0].request;
  };
  EXPECT_EQ(request("198.18.0.2").peer_ip(), "198.18.0.2");
  EXPECT_EQ(request("198.18.0.2").udp_port(), 0u);
  EXPECT_EQ(request("198.18.0.2:5001").udp_port(), 5001u);
  EXPECT_EQ(request("2001:db8::2").peer_ip(), "2001:db8::2");
  EXPECT_EQ(request("[2001:db8::2]:7").peer_ip(), "2001:db8::2");
  EXPECT_EQ(request("[2001:db8::2]:7").udp_port(), 7u);
  EXPECT_EQ(request("").peer_ip(), "");
  for (const char* wrong : {"198.18.0.2:0", "198.18.0.2:70000", "198.18.0.2:x", "[2001:db8::2]7"}) {
    EXPECT_NE(Fault(To(wrong)).find("--to"), std::string::npos) << wrong;
  }
}

TEST(BenchRequest, RatesAreBitsPacketsOrAShareOfTheLine) {
  const auto request = [](const std::string& rate) {
    BenchOptions options = To("198.18.0.2");
    options.rate = rate;
    return (*MakeBenchTrials(options, BenchEnd::kGenerate))[0].request;
  };
  EXPECT_EQ(request("5G").parameters().rate_bps(), 5'000'000'000u);
  EXPECT_EQ(request("1.5Mpps").packets_per_second(), 1.5e6);
  EXPECT_EQ(request("50%").line_share(), 0.5);
  EXPECT_TRUE(request("max").parameters().rate_max());
  for (const char* wrong : {"0", "0%", "101%", "0pps", "fast", "pps", "%"}) {
    BenchOptions options = To("198.18.0.2");
    options.rate = wrong;
    EXPECT_NE(Fault(options).find("--rate"), std::string::npos) << wrong;
  }
}

TEST(BenchRequest, ACountEndsTheRunWithinTenMinutes) {
  BenchOptions options = To("198.18.0.2");
  options.count = "1.5M";
  const auto trials = MakeBenchTrials(options, BenchEnd::kGenerate);
  ASSERT_TRUE(trials.ok());
  EXPECT_EQ((*trials)[0].request.parameters().packets(), 1'500'000u);
  EXPECT_EQ((*trials)[0].request.parameters().duration_ns(), 600'000'000'000u);
  for (const char* wrong : {"0", "1.5", "many"}) {
    options.count = wrong;
    EXPECT_NE(Fault(options).find("--count"), std::string::npos) << wrong;
  }
}

TEST(BenchRequest, ASinkThatIsNotToldASizeTakesAll) {
  BenchOptions options = To("198.18.0.1");
  options.trials = 3;
  const auto trials = MakeBenchTrials(options, BenchEnd::kSink);
  ASSERT_TRUE(trials.ok());
  ASSERT_EQ(trials->size(), 3u);
  EXPECT_EQ((*trials)[2].request.trial(), 2u);
  EXPECT_EQ((*trials)[0].frame_bytes, 0u);
  EXPECT_TRUE((*trials)[0].request.parameters().rate_max());
  EXPECT_EQ((*trials)[0].request.purpose(), "sink");
}

TEST(BenchRequest, ContradictionsNameTheFlag) {
  BenchOptions options = To("198.18.0.2");
  options.streams = 0;
  EXPECT_NE(Fault(options).find("--streams"), std::string::npos);
  options = To("198.18.0.2");
  options.frame = "64";
  options.payload = "18";
  EXPECT_NE(Fault(options).find("--frame"), std::string::npos);
  options = To("198.18.0.1");
  options.frame = "64,128";
  options.trials = 3;
  EXPECT_NE(Fault(options, BenchEnd::kSink).find("--trials"), std::string::npos);
  options = To("198.18.0.1:5001");
  EXPECT_NE(Fault(options, BenchEnd::kSink).find("--udp-port"), std::string::npos);
  options = To("198.18.0.1");
  options.key = "";
  EXPECT_NE(Fault(options).find("--key"), std::string::npos);
}

}  // namespace
}  // namespace weir::cli
