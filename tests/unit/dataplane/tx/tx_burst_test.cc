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

constexpr uint32_t kFlows = 5;

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
  return spec;
}

shm::TxCounters Published(TxFlow& flow) {
  auto cell = std::make_unique<shm::TxCell>();
  flow.PublishTo(*cell);
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
TEST(TxBurst, RefusedPacketsKeepTheirNumbers) {
  const auto port = testing::OpenTestPort("ring:", "");
  ASSERT_NE(port, nullptr);
  Result<TxPool> pool = MakeTxPool("tx-burst-test", 1500, SOCKET_ID_ANY);
  ASSERT_TRUE(pool.ok());
  Clock clock;
  clock.Calibrate();
  std::vector<std::unique_ptr<TxFlow>> flows;
  for (uint32_t i = 0; i < kFlows; ++i) {
    const FlowSpec spec = Spec(i);
    std::vector<PacketTemplate> templates;
    for (const FrameSize& size : spec.sizes) {
      templates.emplace_back(spec, size.udp_payload, rte_ether_addr{}, rte_ether_addr{}, 0);
    }
    flows.push_back(std::make_unique<TxFlow>(spec, 0, std::move(templates), clock.tsc_hz()));
    flows.back()->gate.allow_until_tsc = UINT64_MAX;
  }

  Drain drain(*port);
  TxBurst burst({port->ethdev(), 0, pool->get()});
  const ClockLine line = clock.Line();
  uint64_t left = 0;
  uint64_t taken = 0;
  uint64_t refused = 0;
  for (uint32_t round = 0; round < 3'000; ++round) {
    for (uint32_t i = 0; i < kFlows; ++i) left += flows[(round + i) % kFlows]->Send(&burst, line);
    left += burst.Flush();
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

}  // namespace
}  // namespace weir::dataplane
