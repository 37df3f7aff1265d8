#include "control/session/flow_lookup.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

const std::string kSecret(FlowLookup::kSecretBytes, 's');
constexpr int64_t kSecondNs = 1'000'000'000;

measurement::v1::LookupRequest Packet(const std::string& source, uint32_t source_port,
                                      const std::string& destination, uint32_t destination_port) {
  measurement::v1::LookupRequest packet;
  packet.set_source_ip(source);
  packet.set_source_port(source_port);
  packet.set_destination_ip(destination);
  packet.set_destination_port(destination_port);
  packet.set_at_unix_ns(1);
  return packet;
}

TEST(FlowLookup, KeyIsOneForBothDirectionsAndEveryWayToWriteAnAddress) {
  const FlowLookup lookup(kSecret);
  const std::string key = lookup.Key("2001:db8::1", 5000, "2001:db8::2", 40000);
  EXPECT_EQ(key.size(), 16u);
  EXPECT_EQ(lookup.Key("2001:db8::2", 40000, "2001:db8::1", 5000), key);
  EXPECT_EQ(lookup.Key("2001:0db8:0::0001", 5000, "2001:DB8::2", 40000), key);
  EXPECT_EQ(*lookup.KeyOf(Packet("2001:db8::2", 40000, "2001:db8::1", 5000)), key);
}

TEST(FlowLookup, KeyIsOfTheWholeTupleAndTheSecret) {
  const FlowLookup lookup(kSecret);
  const std::string key = lookup.Key("192.0.2.1", 5000, "192.0.2.2", 40000);
  EXPECT_NE(lookup.Key("192.0.2.1", 40000, "192.0.2.2", 5000), key);
  EXPECT_NE(lookup.Key("192.0.2.1", 5000, "192.0.2.2", 40001), key);
  EXPECT_NE(lookup.Key("192.0.2.3", 5000, "192.0.2.2", 40000), key);
  EXPECT_NE(FlowLookup(std::string(FlowLookup::kSecretBytes, 't'))
                .Key("192.0.2.1", 5000, "192.0.2.2", 40000),
            key);
}

TEST(FlowLookup, PairsEndsInOrder) {
  const FlowLookup lookup(kSecret);
  std::vector<measurement::v1::FlowEnd> own(2), peer(2);
  for (uint32_t i = 0; i < 2; ++i) {
    own[i].set_ip("192.0.2.1");
    own[i].set_udp_port(5000 + i);
    peer[i].set_ip("192.0.2.2");
    peer[i].set_udp_port(6000 + i);
  }
  EXPECT_EQ(lookup.Keys(own, peer),
            (std::vector{lookup.Key("192.0.2.1", 5000, "192.0.2.2", 6000),
                         lookup.Key("192.0.2.1", 5001, "192.0.2.2", 6001)}));
  std::vector<dataplane::v1::FlowInfo> flows(1);
  flows[0].mutable_local()->set_ip("\xC0\x00\x02\x02", 4);
  flows[0].mutable_local()->set_udp_port(6000);
  flows[0].mutable_remote()->set_ip("\xC0\x00\x02\x01", 4);
  flows[0].mutable_remote()->set_udp_port(5000);
  EXPECT_EQ(lookup.Keys(flows), (std::vector{lookup.Keys(own, peer)[0]}));
  flows[0].clear_remote();
  EXPECT_EQ(lookup.Keys(flows), std::vector<std::string>{""});
  peer[0].clear_ip();  // A bench on a port without a network.
  EXPECT_EQ(lookup.Keys(own, peer).size(), 1u);
}

TEST(FlowLookup, WhatIsWrongWithAQuestionIsNamed) {
  const FlowLookup lookup(kSecret);
  const auto why = [&](const measurement::v1::LookupRequest& packet) {
    return std::string(lookup.KeyOf(packet).status().message());
  };
  EXPECT_NE(why(Packet("example.net", 1, "192.0.2.2", 1)).find("source_ip"), std::string::npos);
  EXPECT_NE(why(Packet("192.0.2.0/24", 1, "192.0.2.2", 1)).find("source_ip"), std::string::npos);
  EXPECT_NE(why(Packet("192.0.2.1", 1, "", 1)).find("destination_ip"), std::string::npos);
  EXPECT_NE(why(Packet("192.0.2.1", 0, "192.0.2.2", 1)).find("source_port"), std::string::npos);
  EXPECT_NE(why(Packet("192.0.2.1", 1, "192.0.2.2", 65536)).find("destination_port"),
            std::string::npos);
  auto timeless = Packet("192.0.2.1", 1, "192.0.2.2", 1);
  timeless.clear_at_unix_ns();
  EXPECT_NE(why(timeless).find("at_unix_ns"), std::string::npos);
}

TEST(FlowLookup, KeyFileIsPrivateAndKept) {
  const TempDir dir;
  const std::string file = dir.File("lookup-key");
  const auto made = FlowLookup::Open(file);
  ASSERT_TRUE(made.ok()) << made.status();
  struct stat info = {};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const auto again = FlowLookup::Open(file);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*made)->Key("192.0.2.1", 1, "192.0.2.2", 2),
            (*again)->Key("192.0.2.1", 1, "192.0.2.2", 2));
  const auto other = FlowLookup::Open(dir.File("other"));
  ASSERT_TRUE(other.ok());
  EXPECT_NE((*other)->Key("192.0.2.1", 1, "192.0.2.2", 2),
            (*made)->Key("192.0.2.1", 1, "192.0.2.2", 2));
}

TEST(FlowLookup, AFileThatIsNoKeyIsRefused) {
  const TempDir dir;
  const auto opened = FlowLookup::Open(dir.Write("short", "not thirty-two bytes"));
  EXPECT_TRUE(absl::IsFailedPrecondition(opened.status())) << opened.status();
}

}  // namespace
}  // namespace weir::control
