#include "dataplane/slowpath/slow_path.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/eal_environment.h"
#include "tests/unit/dataplane/frames.h"

namespace weir::dataplane {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the helpers above.

constexpr char kMac[] = "mac=02:00:00:00:00:01";
constexpr MacBytes kSlowPathMac = {0x02, 0, 0, 0, 0, 0x01};
constexpr uint64_t kStart = 1'000'000'000'000;

class SlowPathTest : public ::testing::Test {
 protected:
  void Open(const std::string& more = "") {
    ports_.clear();
    ports_.push_back(OpenTestPort(
        "ring:", std::string(kMac) + ",ip4=198.51.100.1/24,ip6=2001:db8::1/64" + more));
    ASSERT_NE(ports_[0], nullptr);
    auto slow_path = SlowPath::Create(ports_);
    ASSERT_TRUE(slow_path.ok());
    slow_path_ = std::move(*slow_path);
    slow_path_->Tick(kStart);
  }
  void SetUp() override { Open(); }
  void TearDown() override {
    for (const auto& port : ports_) port->Stop();
  }

  Port& port() { return *ports_[0]; }

  // What is answered to the frame.
  std::vector<Bytes> Ask(const Bytes& frame) {
    EXPECT_TRUE(slow_path_->Handle(port(), MakePacket(frame)));
    return SentFromMain(port());
  }

  Bytes Echo4(const char* source, const char* destination = "198.51.100.1",
              const MacBytes& to = kSlowPathMac, uint16_t vlan = 0) {
    return Icmp({.to = to,
                 .source = Ip(source),
                 .destination = Ip(destination),
                 .type = kIcmpEchoRequest,
                 .body = Bytes(60, 0x5A),
                 .vlan = vlan});
  }
  Bytes Echo6(const char* source, const char* destination = "2001:db8::1") {
    return Icmp({.to = kSlowPathMac,
                 .source = Ip(source),
                 .destination = Ip(destination),
                 .type = kIcmp6EchoRequest,
                 .body = Bytes(60, 0x5A)});
  }
  Bytes Solicitation(const char* source, uint8_t hop_limit = 255,
                     const char* target = "2001:db8::1", uint8_t option = kOptionSourceLinkLayer) {
    return Icmp({.to = {0x33, 0x33, 0xFF, 0, 0, 1},
                 .source = Ip(source),
                 .destination = Ip("ff02::1:ff00:1"),
                 .type = kIcmp6NeighbourSolicitation,
                 .hop_limit = hop_limit,
                 .body = NeighbourBody(0, Ip(target), option, kPeerMac)});
  }

  std::vector<std::unique_ptr<Port>> ports_;
  std::unique_ptr<SlowPath> slow_path_;
};

TEST_F(SlowPathTest, AnswersArpForItsOwnAddressAlone) {
  const auto sent = Ask(Arp({.sender = Ip("198.51.100.9"), .target = Ip("198.51.100.1")}));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].size(), 60u);
  const auto* ethernet = reinterpret_cast<const EthernetHeader*>(sent[0].data());
  EXPECT_EQ(0, std::memcmp(ethernet->destination, kPeerMac.data(), 6));
  EXPECT_EQ(0, std::memcmp(ethernet->source, kSlowPathMac.data(), 6));
  const auto* arp = reinterpret_cast<const ArpPacket*>(ethernet + 1);
  EXPECT_EQ(arp->operation, 2);
  EXPECT_EQ(0, std::memcmp(arp->sender_mac, kSlowPathMac.data(), 6));
  EXPECT_EQ(IpAddress::FromBytes(arp->sender_ip), Ip("198.51.100.1"));
  EXPECT_EQ(IpAddress::FromBytes(arp->target_ip), Ip("198.51.100.9"));
  EXPECT_EQ(slow_path_->counters().replies, 1u);

  EXPECT_TRUE(Ask(Arp({.sender = Ip("198.51.100.9"), .target = Ip("198.51.100.2")})).empty());
}

TEST_F(SlowPathTest, AnswersNoArpToAMulticastSender) {
  EXPECT_TRUE(Ask(Arp({.sender_mac = kBroadcastMac,
                       .sender = Ip("198.51.100.9"),
                       .target = Ip("198.51.100.1")}))
                  .empty());
}

TEST_F(SlowPathTest, AnswersEcho) {
  const auto sent = Ask(Echo4("198.51.100.9"));
  ASSERT_EQ(sent.size(), 1u);
  const auto* ip = reinterpret_cast<const Ip4Header*>(sent[0].data() + 14);
  EXPECT_EQ(IpAddress::FromBytes(ip->source), Ip("198.51.100.1"));
  EXPECT_EQ(IpAddress::FromBytes(ip->destination), Ip("198.51.100.9"));
  Checksum header;
  header.Add({sent[0].data() + 14, 20});
  EXPECT_EQ(header.Value(), 0);
  Checksum body;
  body.Add({sent[0].data() + 34, sent[0].size() - 34});
  EXPECT_EQ(body.Value(), 0);
  EXPECT_EQ(sent[0][34], kIcmpEchoReply);
  EXPECT_EQ(Bytes(sent[0].begin() + 38, sent[0].end()), Bytes(60, 0x5A));
}

TEST_F(SlowPathTest, AnswersEcho6) {
  const auto sent = Ask(Echo6("2001:db8::9"));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0][54], kIcmp6EchoReply);
  Checksum checksum;
  checksum.AddPseudoHeader(Ip("2001:db8::1"), Ip("2001:db8::9"), kProtocolIcmp6, 64);
  checksum.Add({sent[0].data() + 54, sent[0].size() - 54});
  EXPECT_EQ(checksum.Value(), 0);
}

TEST_F(SlowPathTest, AnswersNoEchoFromOrToManyAddresses) {
  EXPECT_TRUE(Ask(Echo4("224.0.0.5")).empty());
  EXPECT_TRUE(Ask(Echo4("255.255.255.255")).empty());
  EXPECT_TRUE(Ask(Echo4("198.51.100.255")).empty()) << "directed broadcast (smurf)";
  EXPECT_TRUE(Ask(Echo4("0.0.0.0")).empty());
  EXPECT_TRUE(Ask(Echo4("198.51.100.1")).empty()) << "our own address";
  EXPECT_TRUE(Ask(Echo4("198.51.100.9", "198.51.100.255")).empty());
  EXPECT_TRUE(Ask(Echo4("198.51.100.9", "224.0.0.1")).empty());
  EXPECT_TRUE(Ask(Echo4("198.51.100.9", "198.51.100.1", kBroadcastMac)).empty());
  EXPECT_TRUE(Ask(Echo6("ff02::1")).empty());
  EXPECT_TRUE(Ask(Echo6("::")).empty());
  EXPECT_TRUE(Ask(Echo6("2001:db8::9", "ff02::1")).empty());
  EXPECT_EQ(slow_path_->counters().replies, 0u);
  EXPECT_GT(slow_path_->counters().limited, 0u);
}

TEST_F(SlowPathTest, AnswersNothingMalformed) {
  Bytes bad_sum = Echo4("198.51.100.9");
  bad_sum.back() ^= 1;
  EXPECT_TRUE(Ask(bad_sum).empty());
  Bytes too_long = Echo4("198.51.100.9");
  too_long.resize(60);  // The IP header says more.
  EXPECT_TRUE(Ask(too_long).empty());
  Bytes fragment = Echo4("198.51.100.9");
  fragment[20] = 0x20;  // More fragments.
  EXPECT_TRUE(Ask(fragment).empty());
  Bytes options = Echo4("198.51.100.9");
  options[14] = 0x46;
  EXPECT_TRUE(Ask(options).empty());
  for (size_t bytes = 14; bytes < 42; ++bytes) {
    Bytes cut = Arp({.sender = Ip("198.51.100.9"), .target = Ip("198.51.100.1")});
    cut.resize(bytes);
    EXPECT_TRUE(Ask(cut).empty());
  }
  for (size_t bytes = 54; bytes < 86; ++bytes) {
    Bytes cut = Solicitation("2001:db8::9");
    cut.resize(bytes);
    EXPECT_TRUE(Ask(cut).empty());
  }
}

TEST_F(SlowPathTest, LimitsRepliesToAThousandASecond) {
  // The bucket is 100 ms deep; then one reply each ms.
  size_t sent = 0;
  const Bytes request = Arp({.sender = Ip("198.51.100.9"), .target = Ip("198.51.100.1")});
  for (uint64_t us = 0; us < 1'000'000; us += 100) {
    slow_path_->Tick(kStart + us * 1000);
    sent += Ask(request).size();
  }
  EXPECT_GE(sent, 1000u);
  EXPECT_LE(sent, 1100u);
  EXPECT_EQ(slow_path_->counters().replies, sent);
  EXPECT_EQ(slow_path_->counters().limited, 10'000 - sent);
}

TEST_F(SlowPathTest, AnswersSolicitations) {
  const auto sent = Ask(Solicitation("2001:db8::9"));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(0, std::memcmp(sent[0].data(), kPeerMac.data(), 6));
  const auto* ip = reinterpret_cast<const Ip6Header*>(sent[0].data() + 14);
  EXPECT_EQ(ip->hop_limit, 255);
  EXPECT_EQ(IpAddress::FromBytes(ip->destination), Ip("2001:db8::9"));
  const auto* message = reinterpret_cast<const NeighbourMessage*>(ip + 1);
  EXPECT_EQ(message->icmp.type, kIcmp6NeighbourAdvertisement);
  EXPECT_EQ(message->flags, kNaSolicited | kNaOverride);
  const auto* option = reinterpret_cast<const LinkLayerOption*>(message + 1);
  EXPECT_EQ(option->type, kOptionTargetLinkLayer);
  EXPECT_EQ(0, std::memcmp(option->mac, kSlowPathMac.data(), 6));
  Checksum checksum;
  checksum.AddPseudoHeader(Ip("2001:db8::1"), Ip("2001:db8::9"), kProtocolIcmp6, 32);
  checksum.Add({sent[0].data() + 54, 32});
  EXPECT_EQ(checksum.Value(), 0);
}

TEST_F(SlowPathTest, AnswerIsNeverLongerThanTheSolicitation) {
  const Bytes request = Solicitation("2001:db8::9", 255, "2001:db8::1", 0);
  const auto sent = Ask(request);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_LE(sent[0].size(), request.size());
}

TEST_F(SlowPathTest, AnswersNoSolicitationFromAfarOrForOthers) {
  EXPECT_TRUE(Ask(Solicitation("2001:db8::9", 254)).empty()) << "hop limit: it was routed";
  EXPECT_TRUE(Ask(Solicitation("2001:db8::9", 255, "2001:db8::2")).empty());
  EXPECT_TRUE(Ask(Solicitation("::")).empty());
  EXPECT_TRUE(Ask(Solicitation("ff02::1")).empty());
  Bytes zero_length = Solicitation("2001:db8::9");
  zero_length[14 + 40 + 24 + 1] = 0;
  EXPECT_TRUE(Ask(zero_length).empty());
}

TEST_F(SlowPathTest, SpeaksItsVlanAlone) {
  TearDown();
  Open(",vlan=42");
  const auto sent = Ask(Echo4("198.51.100.9", "198.51.100.1", kSlowPathMac, 42));
  ASSERT_EQ(sent.size(), 1u);
  const auto* ethernet = reinterpret_cast<const EthernetHeader*>(sent[0].data());
  EXPECT_EQ(ethernet->type, kEtherTypeVlan);
  EXPECT_EQ(reinterpret_cast<const VlanTag*>(ethernet + 1)->tci, 42);

  for (const uint16_t vlan : {0, 43}) {
    rte_mbuf* packet = MakePacket(Echo4("198.51.100.9", "198.51.100.1", kSlowPathMac, vlan));
    EXPECT_FALSE(slow_path_->Handle(port(), packet));
    rte_pktmbuf_free(packet);
  }
}

TEST_F(SlowPathTest, LeavesTheRestToTheCaller) {
  Bytes udp = Echo4("198.51.100.9");
  udp[14 + 9] = kProtocolUdp;
  for (const Bytes& frame : {udp, Ethernet(kSlowPathMac, kPeerMac, 0x88CC), Bytes(6, 0)}) {
    rte_mbuf* packet = MakePacket(frame);
    EXPECT_FALSE(slow_path_->Handle(port(), packet));
    rte_pktmbuf_free(packet);
  }
}

}  // namespace
}  // namespace weir::dataplane
