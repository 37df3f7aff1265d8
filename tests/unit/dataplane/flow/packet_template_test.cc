#include "dataplane/flow/packet_template.h"

#include <gtest/gtest.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "dataplane/rx/classifier.h"
#include "dataplane/rx/rx_flow.h"

namespace weir::dataplane {
namespace {

constexpr rte_ether_addr kSource = {{2, 0, 0, 0, 0, 1}};
constexpr rte_ether_addr kDestination = {{2, 0, 0, 0, 0, 2}};

FlowSpec Spec(bool v4) {
  FlowSpec spec;
  spec.local = {IpAddress::FromText(v4 ? "192.0.2.1" : "2001:db8::1"), 4000};
  spec.remote = {IpAddress::FromText(v4 ? "192.0.2.2" : "2001:db8::2"), 5000};
  spec.cookie = wire::MakeCookie(0x123456, 0x1122334455);
  spec.dscp = 46;
  return spec;
}

// A packet as the worker builds it: filler first, headers and stamp later.
std::vector<uint8_t> Build(const PacketTemplate& size, uint32_t payload, uint32_t sequence,
                           uint32_t time) {
  std::vector<uint8_t> buffer(kPayloadOffset + payload + 64);
  uint8_t* at = buffer.data() + kPayloadOffset;
  WriteFiller(at + sizeof(wire::TestPacket), payload + 64 - sizeof(wire::TestPacket));
  size.WriteHeaders(at);
  StampPacket(at, sequence, time);
  return {at - size.header_bytes(), at - size.header_bytes() + size.frame_bytes()};
}

struct Case {
  bool v4;
  uint16_t vlan;
  uint32_t payload;
};

class TemplateTest : public ::testing::TestWithParam<Case> {};

TEST_P(TemplateTest, EveryPacketHasValidChecksumsAndIsClassified) {
  const auto [v4, vlan, payload] = GetParam();
  const FlowSpec spec = Spec(v4);
  const PacketTemplate size(spec, payload, kSource, kDestination, vlan);
  std::mt19937 random(7);
  for (int i = 0; i < 1'000; ++i) {
    const auto sequence = static_cast<uint32_t>(random());
    const auto time = static_cast<uint32_t>(random());
    std::vector<uint8_t> frame = Build(size, payload, sequence, time);
    uint8_t* l3 = frame.data() + 14 + (vlan != 0 ? 4 : 0);
    if (v4) {
      auto* ip = reinterpret_cast<rte_ipv4_hdr*>(l3);
      ASSERT_EQ(static_cast<uint16_t>(~rte_raw_cksum(ip, sizeof(*ip))), 0);
      ASSERT_EQ(rte_ipv4_udptcp_cksum_verify(ip, ip + 1), 0);
    } else {
      auto* ip = reinterpret_cast<rte_ipv6_hdr*>(l3);
      ASSERT_EQ(rte_ipv6_udptcp_cksum_verify(ip, ip + 1), 0);
    }

    rte_mbuf mbuf{};
    mbuf.buf_addr = frame.data();
    mbuf.data_len = static_cast<uint16_t>(frame.size());
    mbuf.pkt_len = static_cast<uint32_t>(frame.size());
    const TestFrame found = Classify(&mbuf, vlan);
    ASSERT_EQ(found.frame_class, FrameClass::kTest);
    ASSERT_EQ(uint64_t{found.packet->cookie}, spec.cookie);
    ASSERT_EQ(uint32_t{found.packet->sequence}, sequence);
    ASSERT_EQ(uint32_t{found.packet->send_time}, time);
    ASSERT_EQ(found.ip_bytes, size.ip_bytes());
  }
}

// A buffer that comes back from the pool with another template's packet in it, or its own.
TEST_P(TemplateTest, PreparesABufferWhateverItCarriedBefore) {
  const auto [v4, vlan, payload] = GetParam();
  const FlowSpec spec = Spec(v4);
  FlowSpec other = spec;
  other.cookie ^= 0x55;
  other.remote.port ^= 0x55;
  const PacketTemplate size(spec, payload, kSource, kDestination, vlan);
  const PacketTemplate other_size(other, payload, kSource, kDestination, vlan);

  std::vector<uint8_t> buffer(kPayloadOffset + payload + 64);
  WriteFiller(buffer.data() + kPayloadOffset + 18, buffer.size() - kPayloadOffset - 18);
  rte_mbuf mbuf{};
  mbuf.buf_addr = buffer.data();
  uint32_t sequence = 0;
  for (const PacketTemplate* next : {&size, &size, &other_size, &size}) {
    uint8_t* at = next->Prepare(&mbuf);
    StampPacket(at, ++sequence, 77);
    const TestFrame found = Classify(&mbuf, vlan);
    ASSERT_EQ(found.frame_class, FrameClass::kTest);
    ASSERT_EQ(uint64_t{found.packet->cookie}, next == &size ? spec.cookie : other.cookie);
    ASSERT_EQ(uint32_t{found.packet->sequence}, sequence);
    ASSERT_EQ(mbuf.refcnt, 1);
    ASSERT_EQ(mbuf.nb_segs, 1);
    ASSERT_EQ(mbuf.pkt_len, next->frame_bytes());
    const std::vector<uint8_t> expected = Build(*next, payload, sequence, 77);
    ASSERT_EQ(std::memcmp(rte_pktmbuf_mtod(&mbuf, void*), expected.data(), expected.size()), 0);
  }
}

TEST_P(TemplateTest, ReceiverOfTheReverseSpecMatches) {
  const auto [v4, vlan, payload] = GetParam();
  FlowSpec receiver = Spec(v4);
  const PacketTemplate size(receiver, payload, kSource, kDestination, vlan);
  std::vector<uint8_t> frame = Build(size, payload, 0, 0);
  std::swap(receiver.local, receiver.remote);
  receiver.slot = 0x123456;
  const PlainHeader header(receiver, vlan);
  rte_mbuf mbuf{};
  mbuf.buf_addr = frame.data();
  mbuf.data_len = static_cast<uint16_t>(frame.size());
  mbuf.pkt_len = static_cast<uint32_t>(frame.size());
  const TestFrame found = Classify(&mbuf, vlan);
  const uint64_t cookie = found.packet->cookie;
  EXPECT_TRUE(header.Matches(found.key, cookie, !v4));
  EXPECT_FALSE(header.Matches(found.key, cookie ^ 1, !v4));
  EXPECT_FALSE(header.Matches(found.key, cookie, v4));

  // In one go, and bit by bit: all up to the cookie matters but the fields that may differ.
  uint8_t* const ip = frame.data() + 14 + (vlan != 0 ? 4 : 0);
  const auto matches = [&header, ip = static_cast<const uint8_t*>(ip)] {
    return header.is_v6() ? PlainHeader::Comparison<true>(header)(ip)
                          : PlainHeader::Comparison<false>(header)(ip);
  };
  // The same of a packet alone, by its flow's fingerprint.
  const auto matches_alone = [&header, vlan = vlan, ip = static_cast<const uint8_t*>(ip)] {
    return header.is_v6() ? PlainHeader::Common<true>(vlan)(ip) &&
                                Fingerprint<true>(ip) == header.fingerprint()
                          : PlainHeader::Common<false>(vlan)(ip) &&
                                Fingerprint<false>(ip) == header.fingerprint();
  };
  EXPECT_TRUE(matches());
  EXPECT_TRUE(matches_alone());
  const size_t end = static_cast<size_t>(ip - frame.data()) + PlainHeader::Cookie(!v4) + 8;
  for (size_t bit = 8 * 12; bit < 8 * end; ++bit) {
    const uint8_t flip = static_cast<uint8_t>(1u << bit % 8);
    frame[bit / 8] ^= flip;
    const TestFrame flipped = Classify(&mbuf, vlan);
    const bool ours = flipped.frame_class == FrameClass::kTest &&
                      header.Matches(flipped.key, flipped.packet->cookie, !flipped.is_v4);
    // What one go takes the long way takes; of the other direction only lengths are left.
    const size_t at = bit / 8 - static_cast<size_t>(ip - frame.data());
    const size_t udp = PlainHeader::Cookie(!v4) - 8;
    const bool length = v4 ? at == 2 || at == 3 || at == udp + 4 || at == udp + 5
                           : at == 4 || at == 5 || at == udp + 4 || at == udp + 5;
    const bool version = at == 0 && !v4;  // The long way does not look at the version in IPv6.
    if (!length && !version) {
      ASSERT_EQ(matches(), ours) << "bit " << bit % 8 << " of byte " << bit / 8;
    }
    ASSERT_EQ(matches_alone(), matches()) << "bit " << bit % 8 << " of byte " << bit / 8;
    frame[bit / 8] ^= flip;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TemplateTest,
                         ::testing::Values(Case{true, 0, 18}, Case{true, 0, 19},
                                           Case{true, 0, 1472}, Case{true, 7, 18},
                                           Case{false, 0, 18}, Case{false, 0, 1452},
                                           Case{false, 7, 18}, Case{false, 4000, 777},
                                           Case{true, 0, 8972}));

TEST(Template, SmallestPacketsFillTheSmallestFrames) {
  EXPECT_EQ(PacketTemplate(Spec(true), 18, kSource, kDestination, 0).wire_frame_bytes(), 64u);
  EXPECT_EQ(PacketTemplate(Spec(false), 18, kSource, kDestination, 0).wire_frame_bytes(), 84u);
}

TEST(Classify, SurvivesEveryTruncationAndByteFlip) {
  const PacketTemplate size(Spec(true), 18, kSource, kDestination, 0);
  const std::vector<uint8_t> frame = Build(size, 18, 1, 2);
  for (size_t length = 0; length <= frame.size(); ++length) {
    for (size_t flip = 0; flip < length; ++flip) {
      // An exact heap copy, so that a sanitizer sees any read beyond it.
      std::vector<uint8_t> copy(frame.begin(), frame.begin() + static_cast<long>(length));
      copy[flip] ^= 0xFF;
      rte_mbuf mbuf{};
      mbuf.buf_addr = copy.data();
      mbuf.data_len = static_cast<uint16_t>(length);
      mbuf.pkt_len = static_cast<uint32_t>(length);
      const TestFrame found = Classify(&mbuf, 0);
      if (length < frame.size()) {
        ASSERT_NE(found.frame_class, FrameClass::kTest);
      }
    }
  }
}

}  // namespace
}  // namespace weir::dataplane
