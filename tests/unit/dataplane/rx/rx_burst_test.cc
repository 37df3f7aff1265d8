#include "dataplane/rx/rx_burst.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "dataplane/flow/packet_template.h"
#include "dataplane/rx/classifier.h"
#include "dataplane/worker/worker_config.h"

namespace weir::dataplane {
namespace {

constexpr uint64_t kReceived = 1'795'000'000'000'000'000;
constexpr uint32_t kFlows = 3;

// Spec of the flow's sender; flow 2 is IPv6.
FlowSpec SenderOf(uint32_t flow) {
  FlowSpec spec;
  spec.slot = flow + 1;
  spec.generation = 1;
  spec.local = {IpAddress::FromText(flow == 2 ? "2001:db8::1" : "192.0.2.1"), 4000};
  spec.remote = {IpAddress::FromText(flow == 2 ? "2001:db8::2" : "192.0.2.2"),
                 static_cast<uint16_t>(5000 + flow)};
  spec.cookie = wire::MakeCookie(spec.slot, 0x1122334455 + flow);
  return spec;
}

FlowSpec ReceiverOf(uint32_t flow) {
  FlowSpec spec = SenderOf(flow);
  std::swap(spec.local, spec.remote);
  return spec;
}

struct Frame {
  std::vector<uint8_t> buffer;
  rte_mbuf mbuf{};
};

// What a receiver would say if it took the packets one by one, by their definitions.
struct Expected {
  SequenceTracker tracker;
  Disorder disorder;
  DelayTracker delay;
  std::unique_ptr<shm::LogHistogram> histogram = std::make_unique<shm::LogHistogram>();
  DelayDistribution delays{histogram.get()};
  uint64_t bytes = 0;
};

shm::RxCounters Published(RxFlow& flow) {
  auto cell = std::make_unique<shm::RxCell>();
  flow.PublishTo(*cell);
  shm::RxCounters counters{};
  EXPECT_TRUE(cell->cell.Load(&counters));
  return counters;
}

class MeasureBurstTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  MeasureBurstTest() {
    for (uint32_t i = 0; i < kFlows; ++i) {
      histograms_.push_back(std::make_unique<shm::LogHistogram>());
      flows_.push_back(&slots_.OpenRx(i + 1, ReceiverOf(i), 0, histograms_.back().get()));
      const FlowSpec sender = SenderOf(i);
      sizes_.emplace_back(sender, 18 + i * 100, rte_ether_addr{}, rte_ether_addr{}, 0);
    }
  }

  rte_mbuf* Packet(uint32_t flow, uint32_t sequence, uint32_t send_time) {
    Frame& frame = frames_.emplace_back();
    frame.buffer.resize(kPayloadOffset + 18 + flow * 100 + 64);
    frame.mbuf.buf_addr = frame.buffer.data();
    StampPacket(sizes_[flow].Prepare(&frame.mbuf), sequence, send_time);
    return &frame.mbuf;
  }

  FlowSlots slots_{8};
  std::vector<std::unique_ptr<shm::LogHistogram>> histograms_;
  std::vector<RxFlow*> flows_;
  std::vector<PacketTemplate> sizes_;
  std::deque<Frame> frames_;
};

// Whatever the mix of flows, losses, reordering and duplicates: each flow's counters are those of
// its packets taken one by one.
TEST_P(MeasureBurstTest, EqualsPacketsOneByOne) {
  std::mt19937 random(GetParam());
  Expected expected[kFlows];
  uint32_t next[kFlows] = {};
  RxDrops drops;
  const uint32_t run_length = GetParam() % 2 == 0 ? 1 : 8;  // Of one flow, on average.
  for (uint64_t round = 0; round < 400; ++round) {
    const uint64_t now = kReceived + round * 50'000;
    std::vector<rte_mbuf*> mbufs;
    const uint16_t count = static_cast<uint16_t>(1 + random() % kRxBurst);
    uint32_t flow = 0;
    for (uint16_t i = 0; i < count; ++i) {
      if (random() % run_length == 0) flow = random() % kFlows;
      uint32_t sequence = next[flow]++;
      if (round % 3 != 0) {  // Every third burst is as it was sent.
        const uint32_t dice = random() % 100;
        if (dice < 3) sequence = next[flow]++;                             // One lost.
        if (dice >= 3 && dice < 6) sequence -= random() % (sequence + 1);  // An old one again.
      }
      // Some seem to come before they were sent.
      const uint64_t ahead = random() % 64 == 0 ? 20'000 : 0;
      const auto sent = static_cast<uint32_t>(now + ahead - 1'000 - random() % 5'000);
      mbufs.push_back(Packet(flow, sequence, sent));

      Expected& one = expected[flow];
      const auto verdict = one.tracker.Track(one.tracker.Extend(sequence), one.disorder);
      if (verdict == SequenceTracker::Verdict::kInOrder ||
          verdict == SequenceTracker::Verdict::kReordered) {
        one.delay.Add(&sent, 1, now, 0, one.delays);
        one.bytes += sizes_[flow].ip_bytes();
      }
    }
    rte_mbuf* punted[kRxBurst];
    ASSERT_EQ(MeasureBurst(mbufs.data(), count, 0, slots_, now, &drops, punted), 0);
    frames_.clear();
  }
  EXPECT_EQ(drops.unknown, 0u);
  for (uint32_t i = 0; i < kFlows; ++i) {
    const shm::RxCounters counters = Published(*flows_[i]);
    EXPECT_EQ(counters.packets, expected[i].tracker.packets(expected[i].disorder));
    EXPECT_EQ(counters.lost(), expected[i].disorder.lost);
    EXPECT_EQ(counters.reordered, expected[i].disorder.reordered);
    EXPECT_EQ(counters.duplicated, expected[i].disorder.duplicated);
    EXPECT_EQ(counters.late, expected[i].disorder.late);
    EXPECT_EQ(counters.bytes, expected[i].bytes);
    // An IPv4 test packet fills the smallest frame; none of these is padded.
    EXPECT_EQ(counters.frame_bytes, expected[i].bytes + counters.packets * 18);
    EXPECT_EQ(counters.jitter_x16_ns, expected[i].delay.jitter_x16());
    EXPECT_EQ(counters.delay_min_ns, expected[i].delays.min());
    EXPECT_EQ(counters.delay_max_ns, expected[i].delays.max());
    EXPECT_EQ(counters.delay_sum_ns, expected[i].delay.sum());
    expected[i].delays.Flush();
    for (uint32_t k = 0; k < shm::LogHistogram::kBuckets; ++k) {
      ASSERT_EQ(histograms_[i]->counts[k].load(), expected[i].histogram->counts[k].load());
    }
    EXPECT_GT(counters.duplicated + counters.reordered, 0u);
    EXPECT_GT(counters.lost(), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, MeasureBurstTest, ::testing::Range(1u, 6u));

// One flow in one burst: what belongs to it, and what only looks like it.
TEST_F(MeasureBurstTest, SortsABurst) {
  rte_mbuf* const good = Packet(0, 0, 0);
  rte_mbuf* const wrong_cookie = Packet(0, 1, 0);
  const_cast<wire::TestPacket*>(Classify(wrong_cookie, 0).packet)->cookie =
      wire::MakeCookie(1, 0x99);
  rte_mbuf* const no_flow = Packet(0, 1, 0);
  const_cast<wire::TestPacket*>(Classify(no_flow, 0).packet)->cookie = wire::MakeCookie(7, 0x99);
  rte_mbuf* const cut = Packet(0, 1, 0);
  cut->data_len = 20;
  cut->pkt_len = 20;
  rte_mbuf* const arp = Packet(0, 1, 0);
  rte_pktmbuf_mtod(arp, rte_ether_hdr*)->ether_type = wire::ByteSwap(uint16_t{RTE_ETHER_TYPE_ARP});
  rte_mbuf* const second = Packet(0, 1, 0);

  rte_mbuf* mbufs[] = {good, wrong_cookie, no_flow, arp, cut, second};
  rte_mbuf* punted[kRxBurst];
  RxDrops drops;
  ASSERT_EQ(MeasureBurst(mbufs, 6, 0, slots_, kReceived, &drops, punted), 1);
  EXPECT_EQ(punted[0], arp);
  EXPECT_EQ(mbufs[0], good);  // The others are kept in order, for the caller to free.
  EXPECT_EQ(mbufs[1], wrong_cookie);
  EXPECT_EQ(mbufs[2], no_flow);
  EXPECT_EQ(mbufs[3], cut);
  EXPECT_EQ(mbufs[4], second);
  EXPECT_EQ(drops.unknown, 2u);
  EXPECT_EQ(drops.malformed, 1u);
  const shm::RxCounters counters = Published(*flows_[0]);
  EXPECT_EQ(counters.packets, 2u);
  EXPECT_EQ(counters.lost(), 0u);
}

}  // namespace
}  // namespace weir::dataplane
