#include "dataplane/tx/tx_burst.h"

#include <gtest/gtest.h>
#include <rte_ethdev.h>

#include <map>
#include <memory>
#include <vector>

#include "dataplane/clock/clock.h"
#include "dataplane/rx/classifier.h"
#include "dataplane/tx/tx_flow.h"
#include "dataplane/tx/tx_pool.h"
#include "tests/unit/dataplane/eal_environment.h"

namespace weir::dataplane {
namespace {

constexpr uint32_t kFlows = 6;

FlowSpec Spec(uint32_t flow) {
  FlowSpec spec;
  spec.slot = flow;
  spec.generation = 1;
  spec.local = {IpAddress::FromText("192.0.2.1"), static_cast<uint16_t>(4000 + flow)};
  spec.remote = {IpAddress::FromText("192.0.2.2"), 5000};
  spec.cookie = wire::MakeCookie(flow, 0x1234);
  spec.rate_bps = 400'000'000'000;  // Always due, whatever else the machine does.
  spec.sizes = {{18, 2}, {100, 1}};
  spec.duration_ns = kMaxDurationNs;
  spec.cap_bytes = UINT64_MAX;
  if (flow == 1) {
    spec.pacing = v1::PACING_BURST;
    spec.burst_packets = 7;
  }
  if (flow == 2) spec.pacing = v1::PACING_POISSON;
  if (flow == 3) spec.sizes = {{18, 1}};
  if (flow == 4) {
    spec.rate_bps = 0;
    spec.rate_max = true;
    spec.sizes = {{64, 1}};
  }
  if (flow == 5) {
    spec.pacing = v1::PACING_RAMP;
    spec.ramp_start_bps = spec.rate_bps / 2;
  }
  return spec;
}

std::unique_ptr<TxFlow> MakeFlow(const FlowSpec& spec, const Clock& clock) {
  std::vector<PacketTemplate> templates;
  for (const FrameSize& size : spec.sizes) {
    templates.emplace_back(spec, size.udp_payload, rte_ether_addr{}, rte_ether_addr{}, 0);
  }
  auto flow = std::make_unique<TxFlow>(spec, std::move(templates), clock.tsc_hz());
  flow->gate.allow_until_tsc = UINT64_MAX;
  return flow;
}

shm::TxCounters Published(TxFlow& flow) {
  auto cell = std::make_unique<shm::TxCell>();
  flow.PublishTo(*cell, 0);
  shm::TxCounters counters{};
  EXPECT_TRUE(cell->cell.Load(&counters));
  return counters;
}

// Takes what a ring: port sent out of its other end. By cookie, the sequence numbers as they came.
class Drain {
 public:
  explicit Drain(const Port& port) : ethdev_(port.ethdev()) {}

  // At most `limit` packets; returns how many there were.
  uint32_t Take(uint32_t limit) {
    uint32_t taken = 0;
    rte_mbuf* mbuf;
    while (taken < limit && rte_eth_rx_burst(ethdev_, 0, &mbuf, 1) == 1) {
      const TestFrame frame = Classify(mbuf, 0);
      EXPECT_EQ(frame.frame_class, FrameClass::kTest);
      if (frame.frame_class == FrameClass::kTest) {
        const uint32_t flow = wire::CookieSlot(frame.packet->cookie);
        sequences[flow].push_back(frame.packet->sequence);
        bytes[flow] += frame.ip_bytes;
      }
      rte_pktmbuf_free(mbuf);
      ++taken;
    }
    return taken;
  }

  std::map<uint32_t, std::vector<uint32_t>> sequences;
  std::map<uint32_t, uint64_t> bytes;

 private:
  const uint16_t ethdev_;
};

// A port that takes less than is due, from flows that share its bursts: each flow's packets leave
// in order without a gap, none twice, and its counters are those packets and nothing else.
// By whether flows without a rate share the queue, and take turns, or have bursts of their own.
class TxBurstTest : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Shared, TxBurstTest, ::testing::Bool());

TEST_P(TxBurstTest, RefusedPacketsKeepTheirNumbers) {
  const auto port = testing::OpenTestPort("ring:", "");
  ASSERT_NE(port, nullptr);
  Result<TxPool> pool = MakeTxPool("tx-burst-test", 1500, SOCKET_ID_ANY);
  ASSERT_TRUE(pool.ok());
  Clock clock;
  clock.Calibrate();
  std::vector<std::unique_ptr<TxFlow>> flows;
  for (uint32_t i = 0; i < kFlows; ++i) flows.push_back(MakeFlow(Spec(i), clock));

  Drain drain(*port);
  TxBurst burst({port->ethdev(), 0, pool->get()});
  burst.set_shared(GetParam());
  const ClockLine line = clock.Line();
  uint64_t left = 0;
  uint64_t taken = 0;
  uint64_t refused = 0;
  for (uint32_t round = 0; round < 3'000; ++round) {
    std::vector<TxFlow*> in_turn;
    for (uint32_t i = 0; i < kFlows; ++i) in_turn.push_back(flows[(round + i) % kFlows].get());
    left += SendRound(in_turn, &burst, line);
    refused += burst.TakeRefused();
    taken += drain.Take(round * 7 % 60);  // Less than is due: the ring fills up.
  }
  taken += drain.Take(UINT32_MAX);

  EXPECT_GT(refused, 0u);
  EXPECT_EQ(taken, left);
  uint64_t rejected = 0;
  for (uint32_t i = 0; i < kFlows; ++i) {
    const shm::TxCounters counters = Published(*flows[i]);
    rejected += counters.rejected;
    EXPECT_GT(counters.packets, 0u);
    ASSERT_EQ(counters.packets, drain.sequences[i].size());
    EXPECT_EQ(counters.bytes, drain.bytes[i]);
    for (uint32_t k = 0; k < counters.packets; ++k) ASSERT_EQ(drain.sequences[i][k], k);
  }
  EXPECT_EQ(rejected, refused);
  burst.FreeKept();
  EXPECT_EQ(rte_mempool_in_use_count(pool->get()), 0u);
}

// Packets whose turn comes before so many bits are due.
uint64_t Due(const FlowSpec& spec, uint64_t bits) {
  const std::vector<uint8_t> cycle = MixCycle(spec.sizes);
  uint64_t count = 0;
  for (uint64_t before = 0; before < bits; ++count) {
    before += (spec.sizes[cycle[count % cycle.size()]].udp_payload + 28) * 8;
  }
  return count;
}

// Whatever keeps a flow from sending, what left and what did not are what the ramp comes to.
TEST(TxBurst, ARampIsSentOrUnsentToTheLastPacket) {
  const auto port = testing::OpenTestPort("ring:", "");
  ASSERT_NE(port, nullptr);
  Result<TxPool> pool = MakeTxPool("tx-ramp-test", 1500, SOCKET_ID_ANY);
  ASSERT_TRUE(pool.ok());
  Clock clock;
  clock.Calibrate();
  const std::vector<FrameSize> one = {{98, 1}};
  const struct {
    std::vector<FrameSize> sizes;
    uint32_t shift;  // For part of the time.
    uint64_t slack_us;
  } kCases[] = {{one, 0, 1'000'000},
                {{{472, 2}, {72, 1}}, 0, 1'000'000},
                {one, 2, 1'000'000},
                {one, 0, 1},
                {{{472, 2}, {72, 1}}, 0, 1}};
  for (const auto& c : kCases) {
    FlowSpec spec = Spec(0);
    spec.pacing = v1::PACING_RAMP;
    spec.ramp_start_bps = 10'000'000;
    spec.rate_bps = 110'000'000;
    spec.duration_ns = 310'000'000;
    spec.sizes = c.sizes;
    const auto flow = MakeFlow(spec, clock);
    Drain drain(*port);
    TxBurst burst({port->ethdev(), 0, pool->get()});
    burst.set_slack(PaceTimeAt(clock.CyclesOf(c.slack_us * 1000)));
    const ClockLine line = clock.Line();
    const uint64_t start = ReadTsc();
    while (!flow->finished()) {
      const uint64_t ms = (ReadTsc() - start) * 1000 / clock.tsc_hz();
      flow->gate.allow_until_tsc = ms >= 100 && ms < 180 ? 0 : UINT64_MAX;
      flow->gate.rate_shift = ms >= 180 && ms < 230 ? c.shift : 0;
      flow->Send(&burst, line, ReadTsc());
      burst.Flush();
      if (ms < 60 || ms > 80) drain.Take(UINT32_MAX);  // Else the ring fills up.
    }
    const shm::TxCounters counters = Published(*flow);
    EXPECT_GT(counters.packets, 0u);
    const uint64_t due = Due(spec, 18'600'000);  // 60 Mbit/s on average.
    if (c.shift == 0) {
      EXPECT_EQ(counters.packets + counters.unsent, due);
    } else {  // The last packet at the reduced rate stands for four that were due.
      EXPECT_GE(counters.packets + counters.unsent, due);
      EXPECT_LT(counters.packets + counters.unsent, due + 4);
    }
    drain.Take(UINT32_MAX);
    EXPECT_EQ(drain.sequences[0].size(), counters.packets);
    burst.FreeKept();
  }
  EXPECT_EQ(rte_mempool_in_use_count(pool->get()), 0u);
}

}  // namespace
}  // namespace weir::dataplane
