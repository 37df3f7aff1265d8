#include "control/session/bench_plan.h"

#include <gtest/gtest.h>

#include <set>

#include "wire/test_packet.h"

namespace weir::control {
namespace {

// Computed by another program, from the contract's words.
constexpr uint32_t kFirstSlot = 612;
constexpr uint64_t kSecondCookie = 0x265ABDCB15436;

TEST(BenchPlan, IsTheSameAtBothEnds) {
  const BenchPlan one = MakeBenchPlan("left", 2, 0, 5);
  const BenchPlan other = MakeBenchPlan("left", 2, 0, 5);
  EXPECT_EQ(one.session_key, other.session_key);
  EXPECT_EQ(one.session_key.size(), 32u);
  ASSERT_EQ(one.streams.size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(one.streams[i].cookie, other.streams[i].cookie);
    EXPECT_EQ(one.streams[i].sink_port, other.streams[i].sink_port);
    EXPECT_EQ(one.streams[i].sender_port, other.streams[i].sender_port);
  }
}

// What proto/README.md section 2.5 says, so that a second implementation agrees.
TEST(BenchPlan, IsWhatTheContractSays) {
  const BenchPlan plan = MakeBenchPlan("bench", 0, 0, 2);
  EXPECT_EQ(plan.first_slot, kFirstSlot);
  EXPECT_EQ(plan.streams[1].cookie, kSecondCookie);
}

TEST(BenchPlan, DiffersByKeyAndTrial) {
  const BenchPlan plan = MakeBenchPlan("left", 0, 0, 1);
  for (const BenchPlan& other : {MakeBenchPlan("right", 0, 0, 1), MakeBenchPlan("left", 1, 0, 1)}) {
    EXPECT_NE(plan.session_key, other.session_key);
    EXPECT_NE(plan.streams[0].cookie, other.streams[0].cookie);
  }
}

TEST(BenchPlan, SlotsFitAndStreamsAreToldApart) {
  for (uint32_t streams : {1u, 128u, kBenchSlots}) {
    const BenchPlan plan = MakeBenchPlan("many", 0, 0, streams);
    EXPECT_LE(plan.first_slot + streams, kBenchSlots);
    std::set<std::pair<uint16_t, uint16_t>> tuples;
    for (uint32_t i = 0; i < streams; ++i) {
      const BenchStream& stream = plan.streams[i];
      EXPECT_EQ(stream.sink_slot, plan.first_slot + i);
      EXPECT_EQ(wire::CookieSlot(stream.cookie), stream.sink_slot);
      EXPECT_NE(stream.sink_port, stream.sender_port);
      tuples.insert({stream.sender_port, stream.sink_port});
    }
    EXPECT_EQ(tuples.size(), streams);
  }
}

TEST(BenchPlan, TheSinksPortMayBeNamed) {
  const BenchPlan plan = MakeBenchPlan("left", 0, 5001, 3);
  EXPECT_EQ(plan.streams[2].sink_port, 5003);
}

}  // namespace
}  // namespace weir::control
