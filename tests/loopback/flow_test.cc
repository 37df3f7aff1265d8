// Packets between two real dataplanes over memif, counted exactly.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "tests/loopback/node.h"
#include "wire/signal_packet.h"
#include "wire/test_packet.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
namespace v1 = dataplane::v1;

constexpr uint64_t kMbit = 1'000'000;

void ExpectNothingLost(NodePair& pair, uint32_t slot) {
  const shm::TxCounters sent = pair.sent(slot);
  const shm::RxCounters received = pair.received(slot);
  EXPECT_GT(sent.packets, 0u);
  EXPECT_EQ(received.packets, sent.packets);
  EXPECT_EQ(received.bytes, sent.bytes);
  EXPECT_EQ(received.frame_bytes, sent.frame_bytes);
  EXPECT_EQ(received.highest_sequence, sent.packets);
  EXPECT_EQ(received.lost(), 0u);
  EXPECT_EQ(received.reordered, 0u);
  EXPECT_EQ(received.duplicated, 0u);
  EXPECT_EQ(received.late, 0u);
}

// Until so many have been sent.
void WaitForPackets(NodePair& pair, uint32_t slot, uint64_t packets) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (pair.sent(slot).packets < packets) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << packets << " packets were not sent";
    std::this_thread::sleep_for(5ms);
  }
}

// Runs a load for its whole duration, then `check(pair)`: slot 1 sent it. A machine that is taken
// away for a quarter of a second costs the flow its lease, which is right and says nothing of its
// pacing: then once more, with a new pair.
template <typename Check>
void RunUndisturbed(bool ipv6, const v1::FlowSpec& load, Check check) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    NodePair pair;
    pair.Program(1, ipv6, load);
    pair.Arm(1);
    pair.Finish(1);
    const auto status = pair.sender().segment().Status(NodePair::SenderSlot(1).slot);
    ASSERT_TRUE(status.has_value());
    if (status->reason == v1::END_DURATION && status->pauses == 0) return check(pair);
  }
  FAIL() << "the flow lost its lease ten times";
}

class FlowTest : public ::testing::TestWithParam<bool> {};  // IPv6?

TEST_P(FlowTest, ConstantBitRateSendsWhatIsDueAndLosesNothing) {
  RunUndisturbed(GetParam(), Load(100 * kMbit, 1000, 500), [](NodePair& pair) {
    ExpectNothingLost(pair, 1);
    // Due in 0.5 s: the deadline at 0 and each interval after it.
    const uint64_t ip_bytes = 1000 + 8 + (GetParam() ? 40 : 20);
    const uint64_t due = 100 * kMbit / 2 / (8 * ip_bytes) + 1;
    EXPECT_NEAR(static_cast<double>(pair.sent(1).packets + pair.sent(1).unsent),
                static_cast<double>(due), 1);
    EXPECT_EQ(pair.sent(1).bytes, pair.sent(1).packets * ip_bytes);
  });
}

TEST_P(FlowTest, StopsAfterExactlyThePacketsAskedFor) {
  NodePair pair;
  v1::FlowSpec load = Load(50 * kMbit, 18, 60'000);
  load.set_packets(12'345);
  pair.Program(1, GetParam(), load);
  pair.Arm(1);
  pair.Finish(1);
  EXPECT_EQ(pair.sent(1).packets, 12'345u);
  EXPECT_EQ(pair.sender().WaitFor(NodePair::SenderSlot(1), v1::FINISHED).reason(), v1::END_PACKETS);
  ExpectNothingLost(pair, 1);
}

TEST_P(FlowTest, ByteCapHolds) {
  NodePair pair;
  v1::FlowSpec load = Load(50 * kMbit, 1000, 60'000);
  load.set_cap_bytes(1'000'000);
  pair.Program(1, GetParam(), load);
  pair.Arm(1);
  pair.Finish(1);
  const uint64_t ip_bytes = 1000 + 8 + (GetParam() ? 40 : 20);
  EXPECT_EQ(pair.sent(1).packets, 1'000'000 / ip_bytes);
  EXPECT_EQ(pair.sender().WaitFor(NodePair::SenderSlot(1), v1::FINISHED).reason(), v1::END_BYTES);
}

TEST_P(FlowTest, MixedSizesAreCountedByteForByte) {
  v1::FlowSpec load = Load(80 * kMbit, 18, 60'000);
  load.mutable_payload(0)->set_weight(7);
  for (const auto& [bytes, weight] : {std::pair{530u, 4u}, {1450u, 1u}}) {
    v1::PayloadSize* size = load.add_payload();
    size->set_udp_payload_bytes(bytes);
    size->set_weight(weight);
  }
  load.set_packets(12 * 200);
  const uint64_t headers = GetParam() ? 48 : 28;
  for (int attempt = 0; attempt < 10; ++attempt) {
    NodePair pair;
    pair.Program(1, GetParam(), load);
    pair.Arm(1);
    pair.Finish(1);
    ExpectNothingLost(pair, 1);
    if (pair.sent(1).unsent != 0) continue;  // Off its core too long: their sizes were due as well.
    EXPECT_EQ(pair.sent(1).bytes,
              200 * (7 * (18 + headers) + 4 * (530 + headers) + 1450 + headers));
    return;
  }
  FAIL() << "the worker was off its core ten times";
}

INSTANTIATE_TEST_SUITE_P(Ip, FlowTest, ::testing::Values(false, true),
                         [](const auto& ipv6) { return ipv6.param ? "v6" : "v4"; });

TEST(Flow, ManyAtOnceDoNotDisturbEachOther) {
  NodePair pair;
  constexpr uint32_t kFlows = 32;
  for (uint32_t i = 0; i < kFlows; ++i) {
    v1::FlowSpec load = Load((1 + i) * kMbit, 200, 60'000);
    load.set_packets(100 + i);
    pair.Program(i, i % 2 == 1, load);
  }
  for (uint32_t i = 0; i < kFlows; ++i) pair.Arm(i);
  for (uint32_t i = 0; i < kFlows; ++i) {
    pair.Finish(i);
    EXPECT_EQ(pair.sent(i).packets, 100 + i);
    ExpectNothingLost(pair, i);
  }
}

TEST(Flow, CrossesAVlan) {
  NodePair pair(",vlan=42");
  v1::FlowSpec load = Load(20 * kMbit, 500, 60'000);
  load.set_packets(1'000);
  pair.Program(1, false, load);
  pair.Arm(1);
  pair.Finish(1);
  ExpectNothingLost(pair, 1);
  EXPECT_EQ(pair.sent(1).frame_bytes, 1'000u * (500 + 28 + 18 + 4));
}

TEST(Flow, MaximumRateIsCappedByTheCap) {
  v1::FlowSpec load = Load(0, 1000, 500);
  load.set_rate_max(true);
  load.set_cap_rate_bps(40 * kMbit);
  RunUndisturbed(false, load, [](NodePair& pair) {
    const double due = 40.0 * kMbit / 2 / (8 * 1028);
    EXPECT_LE(static_cast<double>(pair.sent(1).packets), due + 1);
    EXPECT_EQ(pair.sent(1).unsent, 0u);  // Nothing is due beyond what could be sent.
    ExpectNothingLost(pair, 1);
  });
}

// What was due is sent or counted as unsent, to the packet: each burst that began in the duration.
TEST(Flow, BurstsKeepTheRate) {
  constexpr uint32_t kBurst = 50;
  v1::FlowSpec load = Load(41 * kMbit, 1'000, 500);
  load.set_pacing(v1::PACING_BURST);
  load.set_burst_packets(kBurst);
  RunUndisturbed(false, load, [](NodePair& pair) {
    const double bursts = 0.5 * 41.0 * kMbit / (8 * 1028) / kBurst;
    EXPECT_EQ(pair.sent(1).packets + pair.sent(1).unsent,
              static_cast<uint64_t>(std::ceil(bursts)) * kBurst);
    ExpectNothingLost(pair, 1);
  });
}

// Departures of a Poisson process: their number has the standard deviation of its root.
TEST(Flow, PoissonKeepsTheRate) {
  v1::FlowSpec load = Load(80 * kMbit, 1'000, 500);
  load.set_pacing(v1::PACING_POISSON);
  RunUndisturbed(false, load, [](NodePair& pair) {
    const double due = 0.5 * 80.0 * kMbit / (8 * 1028);
    EXPECT_NEAR(static_cast<double>(pair.sent(1).packets + pair.sent(1).unsent), due,
                6 * std::sqrt(due));
    ExpectNothingLost(pair, 1);
  });
}

TEST(Flow, LoadIsZeroAfterTheReceiverFallsSilent) {
  NodePair pair;
  pair.Program(1, false, Load(20 * kMbit, 500, 60'000));
  pair.Arm(1);
  WaitForPackets(pair, 1, 100);
  pair.receiver().Kill(SIGSTOP);
  ASSERT_EQ(pair.sender().WaitFor(NodePair::SenderSlot(1), v1::PAUSED).state(), v1::PAUSED);
  // A burst that was begun may still be sent; what a paced flow would send in 0.3 s may not.
  uint64_t at_pause = 0;
  for (int attempt = 0; attempt < 20 && at_pause != pair.sent(1).packets; ++attempt) {
    at_pause = pair.sent(1).packets;
    std::this_thread::sleep_for(300ms);
  }
  EXPECT_EQ(pair.sent(1).packets, at_pause);

  // It comes back: the flow resumes.
  pair.receiver().Kill(SIGCONT);
  ASSERT_EQ(pair.sender().WaitFor(NodePair::SenderSlot(1), v1::RUNNING).state(), v1::RUNNING);
  WaitForPackets(pair, 1, at_pause + 1);

  // It stays away: the flow ends. It is not killed, which would take the memory the two share away.
  pair.receiver().Kill(SIGSTOP);
  EXPECT_EQ(pair.sender().WaitFor(NodePair::SenderSlot(1), v1::FINISHED).reason(),
            v1::END_FEEDBACK_LOST);
}

TEST(Flow, ReceiverMeasuresOneWayDelayOnOneClock) {
  NodePair pair;
  v1::FlowSpec load = Load(10 * kMbit, 500, 60'000);
  load.set_packets(500);
  pair.Program(1, false, load);
  pair.Arm(1);
  pair.Finish(1);
  const shm::RxCounters received = pair.received(1);
  EXPECT_EQ(received.delay_base_ns, 0);
  EXPECT_GT(received.delay_min_ns, -20'000);  // Two readings of one clock agree to within that.
  EXPECT_LT(received.delay_min_ns, 5'000'000);
  EXPECT_GE(received.delay_max_ns, received.delay_min_ns);
}

// As many slots as there can be: the last one is as good as the first, and there is none behind it.
TEST(Flow, RunsInTheLastOfAMillionSlots) {
  constexpr uint32_t kSlots = 1u << 20;
  constexpr control::FlowSlot kLast{kSlots - 1, NodePair::kGeneration};
  constexpr uint64_t kPackets = 2'000;
  NodePair pair("", {"--flows", std::to_string(kSlots)});
  v1::FlowSpec load = Load(10 * kMbit, 18, 60'000);
  load.set_packets(kPackets);
  v1::FlowSpec tx = NodePair::SenderSpec(1, false, std::move(load));
  v1::FlowSpec rx = NodePair::ReceiverSpec(1, false);
  for (v1::FlowSpec* spec : {&tx, &rx}) {
    spec->set_slot(kLast.slot);
    spec->set_peer_slot(kLast.slot);
    spec->set_cookie(wire::MakeCookie(kLast.slot, 0xABCDEF0123));
  }
  v1::FlowSpec beyond = tx;
  beyond.set_slot(kSlots);
  const auto refused = pair.sender().client().ProgramFlow(beyond);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("slot"), std::string::npos) << refused.status();

  const auto sends = pair.sender().client().ProgramFlow(tx);
  ASSERT_TRUE(sends.ok()) << sends.status();
  const auto receives = pair.receiver().client().ProgramFlow(rx);
  ASSERT_TRUE(receives.ok()) << receives.status();
  ASSERT_EQ(pair.sender().WaitFor(kLast, v1::PROVEN).state(), v1::PROVEN);
  const auto armed = pair.sender().client().ArmFlow(kLast);
  ASSERT_TRUE(armed.ok()) << armed.status();
  ASSERT_EQ(pair.sender().WaitFor(kLast, v1::FINISHED).reason(), v1::END_PACKETS);
  const shm::TxCounters sent = pair.sender().segment().Tx(kLast.slot).value();
  EXPECT_EQ(sent.packets, kPackets);

  std::optional<shm::RxCounters> received;
  for (int i = 0; i < 1000 && (!received.has_value() || received->packets < kPackets); ++i) {
    std::this_thread::sleep_for(10ms);
    received = pair.receiver().segment().Rx(0, kLast.slot);
  }
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->generation, kLast.generation);
  EXPECT_EQ(received->packets, kPackets);
  EXPECT_EQ(received->bytes, sent.bytes);
  EXPECT_EQ(received->lost(), 0u);
}

// A bench flow at either end of a pair: nobody asks, nobody answers.
void ProgramBench(NodePair& pair, uint32_t slot, v1::FlowSpec load) {
  v1::FlowSpec tx = NodePair::SenderSpec(slot, false, std::move(load));
  tx.mutable_bench();
  tx.set_peer_generation(wire::kBenchGeneration);
  v1::FlowSpec rx = NodePair::ReceiverSpec(slot, false);
  rx.mutable_bench();
  rx.set_peer_generation(wire::kBenchGeneration);
  const auto sink = pair.receiver().client().ProgramFlow(rx);
  ASSERT_TRUE(sink.ok()) << sink.status();
  const auto generator = pair.sender().client().ProgramFlow(tx);
  ASSERT_TRUE(generator.ok()) << generator.status();
}

TEST(BenchFlow, IsArmedWithoutAProofAndItsSinkHearsTheFinalSequence) {
  NodePair pair(",bench=on");
  v1::FlowSpec load = Load(50 * kMbit, 18, 60'000);
  load.set_packets(20'000);
  ProgramBench(pair, 1, load);
  pair.Arm(1);
  pair.Finish(1);
  ExpectNothingLost(pair, 1);
  EXPECT_EQ(pair.sent(1).packets, 20'000u);
  const auto status = pair.receiver().segment().Status(NodePair::ReceiverSlot(1).slot);
  ASSERT_TRUE(status.has_value());
  EXPECT_NE(status->feedback_ns, 0u);
  EXPECT_EQ(status->peer_highest, 20'000u);
  EXPECT_EQ(pair.received(1).delay_base_ns, 0);  // Its beacons told the clock.
}

TEST(BenchFlow, KeepsTheControlLease) {
  NodePair pair(",bench=on");
  ProgramBench(pair, 1, Load(5 * kMbit, 500, 60'000));
  pair.Arm(1);
  // The counters stay readable without a controller.
  const auto segment = pair.sender().client().connection()->segment;
  pair.sender().LoseController();
  std::optional<shm::FlowStatus> status;
  for (int i = 0; i < 1000 && (!status.has_value() || status->state != v1::FINISHED); ++i) {
    std::this_thread::sleep_for(10ms);
    status = segment->Status(1);
  }
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->state, v1::FINISHED);
  EXPECT_EQ(status->reason, v1::END_CONTROL_LEASE);
  EXPECT_GT(segment->Tx(1)->packets, 0u);
}

}  // namespace
}  // namespace weir::test
