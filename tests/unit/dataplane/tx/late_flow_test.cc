// A paced flow whose worker was kept from it.
#include <gtest/gtest.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "dataplane/clock/clock.h"
#include "dataplane/tx/tx_flow.h"
#include "dataplane/tx/tx_pool.h"
#include "tests/unit/dataplane/eal_environment.h"

namespace weir::dataplane {
namespace {

// A flow of 100,000 packets/s on a clock of the test's own, that looks at it each microsecond.
class LateFlow : public ::testing::Test {
 protected:
  static constexpr uint64_t kPacketsPerSecond = 100'000;
  static constexpr uint64_t kUs = 2'000;  // Cycles.

  void SetUp() override {
    port_ = testing::OpenTestPort("ring:", "");
    ASSERT_NE(port_, nullptr);
    Result<TxPool> pool = MakeTxPool("tx-late-test", 1500, SOCKET_ID_ANY);
    ASSERT_TRUE(pool.ok());
    pool_ = std::move(pool.value());
    clock_.Calibrate();
    burst_ = TxBurst({port_->ethdev(), 0, pool_.get()});
    burst_.set_slack(PaceTimeAt(kUs));
  }
  void TearDown() override { burst_.FreeKept(); }

  void Start(v1::Pacing pacing, uint64_t duration_us) {
    FlowSpec spec;
    spec.slot = spec.generation = 1;
    spec.local = {IpAddress::FromText("192.0.2.1"), 4000};
    spec.remote = {IpAddress::FromText("192.0.2.2"), 5000};
    spec.cookie = wire::MakeCookie(1, 0x1234);
    spec.sizes = {{18, 1}};
    spec.rate_bps = kPacketsPerSecond * 46 * 8;
    spec.pacing = pacing;
    spec.ramp_start_bps = pacing == v1::PACING_RAMP ? spec.rate_bps : 0;
    spec.duration_ns = duration_us * 1000;
    spec.cap_bytes = UINT64_MAX;
    const PacketTemplate size(spec, 18, rte_ether_addr{}, rte_ether_addr{}, 0);
    flow_ = std::make_unique<TxFlow>(spec, std::vector{size}, kUs * 1'000'000);
    flow_->gate.allow_until_tsc = UINT64_MAX;
  }

  // Looks at it from `from_us` to before `to_us`, and keeps when each packet left.
  void Look(uint64_t from_us, uint64_t to_us) {
    const ClockLine line = clock_.Line();
    for (uint64_t at = from_us; at < to_us; ++at) {
      flow_->Send(&burst_, line, kStartTsc + at * kUs);
      for (uint32_t sent = burst_.Flush(); sent != 0; --sent) left_us_.push_back(at);
      rte_mbuf* mbuf;
      while (rte_eth_rx_burst(port_->ethdev(), 0, &mbuf, 1) == 1) rte_pktmbuf_free(mbuf);
    }
  }

  uint64_t ShortestGapUs() const {
    uint64_t shortest = UINT64_MAX;
    for (size_t i = 1; i < left_us_.size(); ++i) {
      shortest = std::min(shortest, left_us_[i] - left_us_[i - 1]);
    }
    return shortest;
  }
  uint64_t Unsent() {
    auto cell = std::make_unique<shm::TxCell>();
    flow_->PublishTo(*cell, 0);
    shm::TxCounters counters{};
    EXPECT_TRUE(cell->cell.Load(&counters));
    EXPECT_EQ(counters.packets, left_us_.size());
    return counters.unsent;
  }

  static constexpr uint64_t kStartTsc = uint64_t{1} << 40;
  std::unique_ptr<Port> port_;
  TxPool pool_;
  Clock clock_;  // For what is written into packets.
  TxBurst burst_;
  std::unique_ptr<TxFlow> flow_;
  std::vector<uint64_t> left_us_;
};

TEST_F(LateFlow, CatchesUpWithoutABurst) {
  for (const v1::Pacing pacing : {v1::PACING_CBR, v1::PACING_RAMP}) {
    left_us_.clear();
    Start(pacing, 40'000);
    Look(0, 1'000);
    EXPECT_EQ(left_us_.size(), 100u);
    Look(1'047, 40'001);  // Away for 47 us: four deadlines passed.
    EXPECT_GE(ShortestGapUs(), 9u);
    EXPECT_EQ(left_us_.size(), 4'000u);
    EXPECT_EQ(Unsent(), 0u);
    // Where it would be had nothing happened.
    EXPECT_NEAR(static_cast<double>(left_us_.back()), 39'990, 2);
    EXPECT_TRUE(flow_->finished());
  }
}

TEST_F(LateFlow, CatchesUpAtOnceWithAllButTheLastFew) {
  Start(v1::PACING_CBR, 110'000);
  Look(0, 1'000);
  Look(1'205, 1'206);  // Twenty deadlines passed, and one is due.
  EXPECT_EQ(left_us_.size(), 100u + 1 + 16);
  left_us_.erase(left_us_.begin(), left_us_.end() - 1);
  Look(1'206, 110'001);
  EXPECT_GE(ShortestGapUs(), 9u);
  EXPECT_EQ(left_us_.size(), 11'000u - 100 - 16);
}

TEST_F(LateFlow, SendsWhatItCanBeforeItsEnd) {
  Start(v1::PACING_CBR, 10'000);
  Look(0, 9'800);
  Look(9'880, 10'001);  // Too near its end for slow ways: at once.
  EXPECT_EQ(left_us_.size(), 1'000u);
  EXPECT_EQ(Unsent(), 0u);
}

TEST_F(LateFlow, BunchesStayBunches) {
  Start(v1::PACING_POISSON, 10'000);
  Look(0, 1'000);
  const size_t before = left_us_.size();
  Look(1'200, 1'201);
  EXPECT_GT(left_us_.size(), before + 5);
}

}  // namespace
}  // namespace weir::dataplane
