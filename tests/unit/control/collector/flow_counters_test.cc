#include "control/collector/flow_counters.h"

#include <gtest/gtest.h>

#include <memory>

#include "control/collector/delay.h"
#include "control/collector/usage_window.h"
#include "control/dataplane/client.h"
#include "tests/ipc/fake_dataplane.h"

namespace weir::control {
namespace {

// A segment as a dataplane passes it, written by the test.
class FlowCountersTest : public testing::Test {
 protected:
  FlowCountersTest()
      : dataplane_(directory_ / "dp.sock"), client_({.socket = directory_ / "dp.sock"}, {}) {
    EXPECT_TRUE(test::Eventually([this] { return client_.connection() != nullptr; }));
    segment_ = client_.connection()->segment;
  }

  void StoreRx(uint32_t worker, FlowSlot slot, shm::RxCounters counters) {
    counters.generation = slot.generation;
    dataplane_.segment().rx(worker, slot.slot).cell.Store(counters);
  }

  test::ScratchDirectory directory_;
  test::FakeDataplane dataplane_;
  Client client_;
  std::shared_ptr<const Segment> segment_;
};

constexpr FlowSlot kFlow{3, 9};

TEST_F(FlowCountersTest, ACellOfAnotherGenerationIsZero) {
  StoreRx(0, {3, 8}, {.packets = 5, .highest_sequence = 5});
  dataplane_.segment().tx(3).cell.Store({.generation = 8, .packets = 5});
  EXPECT_EQ(ReadReceiver(*segment_, {{kFlow}}).received, 0u);
  EXPECT_EQ(ReadSender(*segment_, {kFlow}).sent, 0u);
  EXPECT_FALSE(ReadReceiver(*segment_, {{kFlow}}).stale);
}

TEST_F(FlowCountersTest, SumsStreamsOfASender) {
  dataplane_.segment().tx(3).cell.Store({.generation = 9,
                                         .worker = 1,
                                         .packets = 10,
                                         .bytes = 1000,
                                         .unsent = 1,
                                         .rejected = 2,
                                         .first_ns = 50,
                                         .last_ns = 90});
  dataplane_.segment().tx(4).cell.Store(
      {.generation = 2, .worker = 0, .packets = 5, .bytes = 500, .first_ns = 40, .last_ns = 80});
  const SenderTotals totals = ReadSender(*segment_, {kFlow, {4, 2}});
  EXPECT_EQ(totals.sent, 15u);
  EXPECT_EQ(totals.ip_bytes, 1500u);
  EXPECT_EQ(totals.first_ns, 40u);
  EXPECT_EQ(totals.last_ns, 90u);
  EXPECT_EQ(totals.final_sequence, (std::vector<uint64_t>{10, 5}));
  EXPECT_EQ(totals.workers, (std::set<uint32_t>{0, 1}));
}

TEST_F(FlowCountersTest, AchievedRateIsStampedByTheReceiver) {
  // 11 packets of 1000 bytes, 1 ms apart: 10 of them in 10 ms.
  StoreRx(0, kFlow,
          {.packets = 11,
           .bytes = 11'000,
           .frame_bytes = 11 * 1018,
           .highest_sequence = 11,
           .first_ns = 1'000'000,
           .last_ns = 11'000'000,
           .last_packet_bytes = 1000});
  const ReceiverTotals totals = ReadReceiver(*segment_, {{kFlow}});
  EXPECT_DOUBLE_EQ(totals.achieved_ip_bps, 8e6);
  EXPECT_DOUBLE_EQ(totals.achieved_ethernet_bps, 8e6 * 1.018);
}

TEST_F(FlowCountersTest, AFlowSpreadOverWorkersHasTheGapsOfTheUnion) {
  // Worker 0 got the even numbers, worker 1 the odd ones but 7.
  StoreRx(0, kFlow,
          {.packets = 5,
           .bytes = 500,
           .highest_sequence = 9,
           .first_ns = 10,
           .last_ns = 90,
           .last_packet_bytes = 100});
  StoreRx(1, kFlow,
          {.packets = 4,
           .bytes = 400,
           .highest_sequence = 10,
           .first_ns = 20,
           .last_ns = 100,
           .last_packet_bytes = 60});
  const ReceiverTotals totals = ReadReceiver(*segment_, {{kFlow}});
  EXPECT_EQ(totals.received, 9u);
  EXPECT_EQ(totals.gaps, 1u);
  EXPECT_EQ(totals.highest, std::vector<uint64_t>{10});
  EXPECT_EQ(totals.first_ns, 10u);
  EXPECT_EQ(totals.last_ns, 100u);
}

TEST_F(FlowCountersTest, LossIsGapsPlusWhatWasSentAfterTheHighest) {
  StoreRx(0, kFlow, {.packets = 8, .highest_sequence = 10});
  const ReceiverTotals totals = ReadReceiver(*segment_, {{kFlow}});
  EXPECT_EQ(LostPackets(totals, {}), 2u);
  EXPECT_EQ(LostPackets(totals, {10}), 2u);
  EXPECT_EQ(LostPackets(totals, {13}), 5u);
  EXPECT_FALSE(EverythingArrived(totals, {10}));
}

TEST_F(FlowCountersTest, EverythingArrivedOnlyWithoutGaps) {
  StoreRx(0, kFlow, {.packets = 10, .highest_sequence = 10});
  const ReceiverTotals totals = ReadReceiver(*segment_, {{kFlow}});
  EXPECT_TRUE(EverythingArrived(totals, {10}));
  EXPECT_FALSE(EverythingArrived(totals, {11}));
}

TEST_F(FlowCountersTest, ACellTornForEverIsStaleNotWaitedFor) {
  // The sequence of a seqlock is its first word; odd is a writer in the middle.
  auto* words = reinterpret_cast<uint64_t*>(&dataplane_.segment().rx(0, 3));
  words[0] = 1;
  EXPECT_TRUE(ReadReceiver(*segment_, {{kFlow}}).stale);
}

TEST_F(FlowCountersTest, IndexesBeyondTheSegmentReadNothing) {
  EXPECT_FALSE(segment_->Tx(64).has_value());
  EXPECT_FALSE(segment_->Rx(2, 0).has_value());
  EXPECT_FALSE(segment_->Status(1u << 30).has_value());
  EXPECT_FALSE(segment_->Port(1).has_value());
  EXPECT_EQ(segment_->Histogram(0, -1), nullptr);
  EXPECT_EQ(segment_->Histogram(0, 4), nullptr);
}

TEST_F(FlowCountersTest, DelayIsAbsoluteOnlyWithSynchronisedClocks) {
  for (int i = 0; i < 100; ++i) dataplane_.segment().histogram(0, 1).Add(1'000'000);
  StoreRx(0, kFlow,
          {.packets = 100,
           .delay_base_ns = 4'000'000,
           .delay_min_ns = 5'000'000,
           .delay_max_ns = 5'000'500,
           .delay_sum_ns = 100'000'000});
  const record::v1::Delay absolute = MeasureDelay(*segment_, {{kFlow, 1}}, true);
  EXPECT_EQ(absolute.samples(), 100u);
  EXPECT_EQ(absolute.base_ns(), 0);
  EXPECT_EQ(absolute.min_ns(), 5'000'000);
  EXPECT_EQ(absolute.mean_ns(), 5'000'000);
  EXPECT_GE(absolute.p50_ns(), absolute.min_ns());
  EXPECT_LE(absolute.p999_ns(), absolute.max_ns());
  const record::v1::Delay relative = MeasureDelay(*segment_, {{kFlow, 1}}, false);
  EXPECT_EQ(relative.base_ns(), 4'000'000);
  EXPECT_EQ(relative.min_ns(), 1'000'000);
  EXPECT_EQ(relative.mean_ns(), 1'000'000);
}

TEST_F(FlowCountersTest, DelaysOfFlowsWithDifferentBasesAreMerged) {
  // 1 ms above a base of 1 ms, and 1 ms above a base of 3 ms.
  dataplane_.segment().histogram(0, 0).Add(1'000'000);
  dataplane_.segment().histogram(0, 1).Add(1'000'000);
  StoreRx(0, kFlow,
          {.packets = 1,
           .delay_base_ns = 1'000'000,
           .delay_min_ns = 2'000'000,
           .delay_max_ns = 2'000'000,
           .delay_sum_ns = 1'000'000});
  StoreRx(0, {5, 1},
          {.packets = 1,
           .delay_base_ns = 3'000'000,
           .delay_min_ns = 4'000'000,
           .delay_max_ns = 4'000'000,
           .delay_sum_ns = 1'000'000});
  const record::v1::Delay delay = MeasureDelay(*segment_, {{kFlow, 0}, {{5, 1}, 1}}, true);
  EXPECT_EQ(delay.samples(), 2u);
  EXPECT_EQ(delay.min_ns(), 2'000'000);
  EXPECT_EQ(delay.max_ns(), 4'000'000);
  EXPECT_EQ(delay.mean_ns(), 3'000'000);
  EXPECT_NEAR(static_cast<double>(delay.p999_ns()), 4e6, 4e6 * 0.01);
}

TEST_F(FlowCountersTest, AWindowSeesOnlyWhatHappenedInIt) {
  shm::WorkerCounters worker{.busy_cycles = 1000, .idle_cycles = 1000};
  dataplane_.segment().worker(1).cell.Store(worker);
  dataplane_.segment().port(0).cell.Store({.rx_missed = 5});
  const UsageWindow window(segment_, 0);
  EXPECT_EQ(window.Busy({1}), 0);
  worker.busy_cycles += 900;
  worker.idle_cycles += 100;
  worker.rx_cpu_starved_ns = 77;
  dataplane_.segment().worker(1).cell.Store(worker);
  dataplane_.segment().port(0).cell.Store({.rx_missed = 12});
  EXPECT_DOUBLE_EQ(window.Busy({0, 1}), 0.9);
  EXPECT_EQ(window.StarvedNs({1}), 77u);
  EXPECT_EQ(window.PortMissed(), 7u);
}

TEST(DelayCounts, InterpolatesWithinABucket) {
  auto histogram = std::make_unique<shm::LogHistogram>();
  for (int i = 0; i < 1000; ++i) histogram->Add(static_cast<uint64_t>(i) * 1000);
  DelayCounts counts;
  counts.Add(*histogram, 0);
  EXPECT_NEAR(counts.Quantile(0.5), 500'000, 4'000);
  EXPECT_NEAR(counts.Quantile(0.99), 990'000, 8'000);
  EXPECT_EQ(DelayCounts().Quantile(0.5), 0);
}

}  // namespace
}  // namespace weir::control
