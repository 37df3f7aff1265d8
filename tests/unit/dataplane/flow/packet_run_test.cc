#include "dataplane/flow/packet_run.h"

#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace weir::dataplane {
namespace {

constexpr uint32_t kRoom = 128;  // Behind the payload's begin.

// Through everything a carry can do: the sequence's halves come round, and so does the sum.
TEST(RunningStamp, IsStampPacketOneByOne) {
  std::mt19937 random(3);
  uint8_t cookie[wire::kMinUdpPayload];
  for (uint8_t& byte : cookie) byte = static_cast<uint8_t>(random());
  for (const uint32_t first :
       {0u, 0xFFF0u, 0x1FFF0u, 0xFFFFFFF0u, static_cast<uint32_t>(random())}) {
    for (const uint32_t time :
         {0u, 1u, 0xFFFFFFFFu, 0x7FFF8000u, static_cast<uint32_t>(random())}) {
      RunningStamp stamp(cookie, first, time);
      uint64_t left = stamp.left();
      for (uint32_t i = 0; i < 200'000; ++i, --left) {
        if (left == 0) {
          stamp = RunningStamp(cookie, first + i, time);
          left = stamp.left();
        }
        uint8_t expected[sizeof(cookie)];
        std::memcpy(expected, cookie, sizeof(cookie));
        StampPacket(expected, first + i, time);
        uint8_t stamped[sizeof(cookie)];
        std::memcpy(stamped, cookie, sizeof(cookie));
        stamp.WriteNext(stamped);
        ASSERT_EQ(std::memcmp(stamped, expected, sizeof(stamped)), 0) << first << "+" << i;
      }
    }
  }
}

class Buffers {
 public:
  explicit Buffers(size_t count) : memory_(count), mbufs_(count) {
    for (size_t i = 0; i < count; ++i) {
      memory_[i].resize(kPayloadOffset + kRoom);
      WriteFiller(memory_[i].data() + kPayloadOffset + wire::kMinUdpPayload,
                  kRoom - wire::kMinUdpPayload);
      mbufs_[i].buf_addr = memory_[i].data();
      pointers_.push_back(&mbufs_[i]);
    }
  }
  rte_mbuf* const* mbufs() const { return pointers_.data(); }
  std::vector<uint8_t> frame(size_t index) const {
    const rte_mbuf* mbuf = pointers_[index];
    const auto* at = rte_pktmbuf_mtod(mbuf, const uint8_t*);
    return {at, at + mbuf->data_len};
  }

 private:
  std::vector<std::vector<uint8_t>> memory_;
  std::vector<rte_mbuf> mbufs_;
  std::vector<rte_mbuf*> pointers_;
};

PacketTemplate Template(bool v4, uint16_t vlan, uint64_t random) {
  FlowSpec spec;
  spec.local = {IpAddress::FromText(v4 ? "192.0.2.1" : "2001:db8::1"), 4000};
  spec.remote = {IpAddress::FromText(v4 ? "192.0.2.2" : "2001:db8::2"), 5000};
  spec.cookie = wire::MakeCookie(0x123456, random);
  return {spec, wire::kMinUdpPayload, {{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, vlan};
}

// Runs of all lengths, in buffers that carried this template, another one, or nothing before.
TEST(MakeRun, MakesWhatPrepareAndStampMakeOneByOne) {
  constexpr uint32_t kMost = 70;
  std::mt19937 random(5);
  for (const bool v4 : {true, false}) {
    for (const uint16_t vlan : {0, 7}) {
      const PacketTemplate size = Template(v4, vlan, 0x1122334455);
      const PacketTemplate other = Template(v4, vlan, 0x66778899AA);
      Buffers run(kMost);
      Buffers one_by_one(kMost);
      for (uint32_t count = 0; count <= kMost; ++count) {
        for (uint32_t i = 0; i < count; i += 1 + random() % 20) other.Prepare(run.mbufs()[i]);
        if (count > 0) run.mbufs()[random() % count]->data_off += 4;  // A driver took a header off.
        const auto sequence = static_cast<uint32_t>(random() % 3 == 0 ? -random() % 64 : random());
        const auto time = static_cast<uint32_t>(random());
        MakeRun(size, run.mbufs(), count, sequence, time);
        for (uint32_t i = 0; i < count; ++i) {
          StampPacket(size.Prepare(one_by_one.mbufs()[i]), sequence + i, time);
          ASSERT_EQ(run.frame(i), one_by_one.frame(i)) << i << " of " << count;
          ASSERT_EQ(run.mbufs()[i]->pkt_len, size.frame_bytes());
          ASSERT_EQ(run.mbufs()[i]->refcnt, 1);
        }
      }
    }
  }
}

}  // namespace
}  // namespace weir::dataplane
