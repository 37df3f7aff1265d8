#include "dataplane/slowpath/neighbours.h"

#include <gtest/gtest.h>

#include "dataplane/slowpath/slow_path.h"
#include "tests/unit/dataplane/eal_environment.h"
#include "tests/unit/dataplane/frames.h"

namespace weir::dataplane {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the helpers above.

constexpr MacBytes kOwnMac = {0x02, 0, 0, 0, 0, 0x01};
constexpr MacBytes kOtherMac = {0x02, 0, 0, 0, 0, 0x66};
constexpr uint64_t kSecond = 1'000'000'000;

class NeighboursTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ports_.push_back(OpenTestPort("ring:",
                                  "mac=02:00:00:00:00:01,ip4=198.51.100.1/24,gw4=198.51.100.254,"
                                  "ip6=2001:db8::1/64"));
    ASSERT_NE(ports_[0], nullptr);
    auto slow_path = SlowPath::Create(ports_);
    ASSERT_TRUE(slow_path.ok());
    slow_path_ = std::move(*slow_path);
    neighbours().set_events(
        {.on_change = [this](const Port&, const IpAddress& ip) { changed_.push_back(ip); },
         .on_unreachable = [this](const Port&,
                                  const IpAddress& ip) { unreachable_.push_back(ip); }});
    Wait(0);
  }
  void TearDown() override { port().Stop(); }

  Port& port() { return *ports_[0]; }
  Neighbours& neighbours() { return slow_path_->neighbours(); }
  void Wait(uint64_t ns) { slow_path_->Tick(now_ns_ += ns); }
  void Receive(const Bytes& frame) { EXPECT_TRUE(slow_path_->Handle(port(), MakePacket(frame))); }
  void ArpReply(const char* ip, const MacBytes& mac, const MacBytes& to = kOwnMac) {
    Receive(Arp({.to = to,
                 .operation = 2,
                 .sender_mac = mac,
                 .sender = Ip(ip),
                 .target_mac = kOwnMac,
                 .target = Ip("198.51.100.1")}));
  }
  void Advertise(uint32_t flags, uint8_t hop_limit, const MacBytes& mac) {
    Receive(Icmp({.to = kOwnMac,
                  .source = Ip("2001:db8::9"),
                  .destination = Ip("2001:db8::1"),
                  .type = kIcmp6NeighbourAdvertisement,
                  .hop_limit = hop_limit,
                  .body = NeighbourBody(flags, Ip("2001:db8::9"), kOptionTargetLinkLayer, mac)}));
  }
  // The MAC if it is known.
  std::optional<MacBytes> Known(const char* ip) {
    const auto result = neighbours().Resolve(port(), Ip(ip));
    if (!result.ok() || !result.value()) return std::nullopt;
    MacBytes mac;
    std::memcpy(mac.data(), result.value()->addr_bytes, 6);
    return mac;
  }

  std::vector<std::unique_ptr<Port>> ports_;
  std::unique_ptr<SlowPath> slow_path_;
  uint64_t now_ns_ = 1'000 * kSecond;
  std::vector<IpAddress> changed_;
  std::vector<IpAddress> unreachable_;
};

TEST_F(NeighboursTest, AsksByArpAndLearnsTheReply) {
  EXPECT_FALSE(Known("198.51.100.9"));
  const auto sent = SentFromMain(port());
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(0, std::memcmp(sent[0].data(), kBroadcastMac.data(), 6));
  const auto* arp = reinterpret_cast<const ArpPacket*>(sent[0].data() + 14);
  EXPECT_EQ(arp->operation, 1);
  EXPECT_EQ(IpAddress::FromBytes(arp->target_ip), Ip("198.51.100.9"));
  EXPECT_EQ(IpAddress::FromBytes(arp->sender_ip), Ip("198.51.100.1"));

  ArpReply("198.51.100.9", kPeerMac);
  EXPECT_EQ(Known("198.51.100.9"), kPeerMac);
  EXPECT_TRUE(SentFromMain(port()).empty());
}

TEST_F(NeighboursTest, AsksTheGatewayForWhatIsFarAway) {
  EXPECT_FALSE(Known("192.0.2.77"));
  const auto sent = SentFromMain(port());
  ASSERT_EQ(sent.size(), 1u);
  const auto* arp = reinterpret_cast<const ArpPacket*>(sent[0].data() + 14);
  EXPECT_EQ(IpAddress::FromBytes(arp->target_ip), Ip("198.51.100.254"));
  ArpReply("198.51.100.254", kPeerMac);
  EXPECT_EQ(Known("192.0.2.77"), kPeerMac);
}

TEST_F(NeighboursTest, RefusesWhatItCannotReach) {
  const auto far = neighbours().Resolve(port(), Ip("2001:db8:ffff::1"));
  ASSERT_FALSE(far.ok());
  EXPECT_EQ(far.error().code, v1::NOT_FOUND);
  EXPECT_NE(far.error().message.find("gw6"), std::string::npos);
  EXPECT_FALSE(neighbours().Resolve(port(), Ip("224.0.0.1")).ok());
  EXPECT_FALSE(neighbours().Resolve(port(), Ip("198.51.100.255")).ok());
  EXPECT_FALSE(neighbours().Resolve(port(), Ip("198.51.100.1")).ok());
}

TEST_F(NeighboursTest, LearnsNothingItDidNotAskFor) {
  ArpReply("198.51.100.9", kOtherMac);
  EXPECT_FALSE(Known("198.51.100.9"));
  ArpReply("198.51.100.9", kOtherMac, kBroadcastMac);
  EXPECT_FALSE(Known("198.51.100.9")) << "gratuitous";
  ArpReply("198.51.100.9", kBroadcastMac);
  EXPECT_FALSE(Known("198.51.100.9")) << "no unicast address";
  ArpReply("198.51.100.9", kPeerMac);
  EXPECT_EQ(Known("198.51.100.9"), kPeerMac);
  ArpReply("198.51.100.9", kOtherMac);
  EXPECT_EQ(Known("198.51.100.9"), kPeerMac) << "a second reply to one request";
  EXPECT_FALSE(Known("2001:db8::9"));
  Receive(
      Arp({.sender_mac = kOtherMac, .sender = Ip("198.51.100.9"), .target = Ip("198.51.100.1")}));
  EXPECT_EQ(Known("198.51.100.9"), kPeerMac) << "a request teaches nothing";
}

TEST_F(NeighboursTest, LearnsSolicitedAdvertisementsOfTheLinkAlone) {
  EXPECT_FALSE(Known("2001:db8::9"));
  const auto sent = SentFromMain(port());
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(0, std::memcmp(sent[0].data(), "\x33\x33\xFF\x00\x00\x09", 6));
  const auto* ip = reinterpret_cast<const Ip6Header*>(sent[0].data() + 14);
  EXPECT_EQ(IpAddress::FromBytes(ip->destination), Ip("ff02::1:ff00:9"));
  EXPECT_EQ(ip->hop_limit, 255);

  Advertise(kNaOverride, 255, kOtherMac);
  EXPECT_FALSE(Known("2001:db8::9")) << "not solicited";
  Advertise(kNaSolicited | kNaOverride, 64, kOtherMac);
  EXPECT_FALSE(Known("2001:db8::9")) << "was routed";
  Advertise(kNaSolicited | kNaOverride, 255, kPeerMac);
  EXPECT_EQ(Known("2001:db8::9"), kPeerMac);
}

TEST_F(NeighboursTest, GivesUpAfterThreeRequestsAndTriesAgainLater) {
  EXPECT_FALSE(Known("198.51.100.9"));
  size_t requests = SentFromMain(port()).size();
  for (int i = 0; i < 30; ++i) {
    Wait(kSecond / 10);
    requests += SentFromMain(port()).size();
  }
  EXPECT_EQ(requests, 3u);
  Wait(kSecond / 10);
  const auto result = neighbours().Resolve(port(), Ip("198.51.100.9"));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, v1::UNAVAILABLE);
  for (int i = 0; i < 40; ++i) Wait(kSecond / 10);
  EXPECT_TRUE(neighbours().Resolve(port(), Ip("198.51.100.9")).ok());
  EXPECT_EQ(SentFromMain(port()).size(), 1u);
}

TEST_F(NeighboursTest, KeepsThePinnedAddressAndReportsAChange) {
  EXPECT_FALSE(Known("198.51.100.9"));
  ArpReply("198.51.100.9", kPeerMac);
  neighbours().Pin(port(), Ip("198.51.100.9"));
  SentFromMain(port());
  Wait(31 * kSecond);
  EXPECT_EQ(SentFromMain(port()).size(), 1u) << "refreshed while pinned";
  ArpReply("198.51.100.9", kOtherMac);
  EXPECT_EQ(Known("198.51.100.9"), kPeerMac);
  ASSERT_EQ(changed_.size(), 1u);
  EXPECT_EQ(changed_[0], Ip("198.51.100.9"));

  neighbours().Unpin(port(), Ip("198.51.100.9"));
  Wait(31 * kSecond);
  EXPECT_EQ(Known("198.51.100.9"), kPeerMac);
  Wait(kSecond);
  ArpReply("198.51.100.9", kOtherMac);
  EXPECT_EQ(Known("198.51.100.9"), kOtherMac) << "adopted once nobody depends on it";
  EXPECT_EQ(changed_.size(), 1u);
}

TEST_F(NeighboursTest, ReportsAPinnedNeighbourThatFallsSilent) {
  EXPECT_FALSE(Known("192.0.2.77"));
  ArpReply("198.51.100.254", kPeerMac);
  neighbours().Pin(port(), Ip("192.0.2.77"));
  for (int i = 0; i < 340; ++i) Wait(kSecond / 10);
  ASSERT_EQ(unreachable_.size(), 1u);
  EXPECT_EQ(unreachable_[0], Ip("192.0.2.77")) << "the destination, not its gateway";
}

TEST_F(NeighboursTest, ForgetsWhatNobodyUses) {
  EXPECT_FALSE(Known("198.51.100.9"));
  ArpReply("198.51.100.9", kPeerMac);
  SentFromMain(port());
  for (int i = 0; i < 100; ++i) Wait(kSecond);
  SentFromMain(port());
  EXPECT_FALSE(Known("198.51.100.9"));
  EXPECT_EQ(SentFromMain(port()).size(), 1u);
}

}  // namespace
}  // namespace weir::dataplane
