#include "control/session/unusual_activity.h"

#include <gtest/gtest.h>

#include "wire/signal_packet.h"

namespace weir::control {
namespace {

using measurement::v1::Notice;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kStart = 1'000 * kSecond;
constexpr uint64_t kRate = 8'000'000;  // 1 MB/s.

// Sent `seconds` long at its rate to a peer that answers.
SendingFlow Sent(double seconds, double share_of_rate = 1.0) {
  SendingFlow flow;
  flow.admitted_bps = kRate;
  flow.proven = true;
  flow.tx.first_ns = kStart;
  flow.tx.last_ns = kStart + static_cast<uint64_t>(seconds * kSecond);
  flow.tx.bytes = static_cast<uint64_t>(share_of_rate * seconds * kRate / 8);
  flow.tx.packets = flow.tx.bytes / 1000 + 1;
  flow.status.armed_ns = kStart;
  flow.status.feedback_ns = flow.tx.last_ns;
  return flow;
}

Notice::Trigger Trigger(const SendingFlow& flow) {
  const auto unusual = JudgeFlow(flow);
  return unusual ? unusual->trigger : Notice::TRIGGER_UNSPECIFIED;
}

TEST(JudgeFlow, WhatWasAdmittedIsNotUnusual) {
  EXPECT_EQ(Trigger(SendingFlow{}), Notice::TRIGGER_UNSPECIFIED);
  for (const double seconds : {0.0, 0.001, 1.0, 3600.0}) {
    EXPECT_EQ(Trigger(Sent(seconds)), Notice::TRIGGER_UNSPECIFIED) << seconds;
  }
}

TEST(JudgeFlow, MoreThanTheRateIsOverBudget) {
  EXPECT_EQ(Trigger(Sent(60, 1.01)), Notice::TRIGGER_UNSPECIFIED);
  EXPECT_EQ(Trigger(Sent(60, 1.05)), Notice::EGRESS_OVER_BUDGET);
  const auto unusual = JudgeFlow(Sent(10, 2));
  ASSERT_TRUE(unusual.has_value());
  EXPECT_EQ(unusual->from_ns, kStart);
  EXPECT_EQ(unusual->to_ns, kStart + 10 * kSecond);
  EXPECT_DOUBLE_EQ(unusual->admitted_bps, kRate);
  EXPECT_NEAR(unusual->observed_bps, 2.0 * kRate, 1);
  EXPECT_NEAR(unusual->observed_pps, 2000, 1);
}

TEST(JudgeFlow, AFlowMayCatchUpAndSendABurstAtOnce) {
  SendingFlow flow = Sent(0.001);
  flow.tx.bytes = kRate / 8 / 5;  // What 0.2 s off the CPU owe.
  EXPECT_EQ(Trigger(flow), Notice::TRIGGER_UNSPECIFIED);
  flow.tx.bytes = kRate / 8;
  EXPECT_EQ(Trigger(flow), Notice::EGRESS_OVER_BUDGET);
  flow.burst_bits = kRate;
  EXPECT_EQ(Trigger(flow), Notice::TRIGGER_UNSPECIFIED);
}

TEST(JudgeFlow, ATargetThatNeverProvedItself) {
  SendingFlow flow = Sent(1);
  flow.proven = false;
  EXPECT_EQ(Trigger(flow), Notice::LOAD_TO_UNPROVEN);
  flow.bench = true;
  EXPECT_EQ(Trigger(flow), Notice::TRIGGER_UNSPECIFIED);
}

TEST(JudgeFlow, APeerThatFellSilent) {
  SendingFlow flow = Sent(10);
  flow.status.feedback_ns = flow.tx.last_ns - 2 * kSecond;
  EXPECT_EQ(Trigger(flow), Notice::TRIGGER_UNSPECIFIED);
  flow.status.feedback_ns = flow.tx.last_ns - 3 * kSecond;
  EXPECT_EQ(Trigger(flow), Notice::SENDING_TO_SILENT_PEER);
  flow.bench = true;
  EXPECT_EQ(Trigger(flow), Notice::TRIGGER_UNSPECIFIED);
}

TEST(JudgeFlow, APeerThatNeverSpoke) {
  SendingFlow flow = Sent(4);
  flow.status.feedback_ns = 0;
  EXPECT_EQ(Trigger(flow), Notice::TRIGGER_UNSPECIFIED);
  flow = Sent(5);
  flow.status.feedback_ns = 0;
  EXPECT_EQ(Trigger(flow), Notice::SENDING_TO_SILENT_PEER);
}

class StrayEgressTest : public testing::Test {
 protected:
  // A second later.
  std::optional<Unusual> After(uint64_t port_packets, uint64_t flow_packets) {
    port_ += port_packets;
    flows_ += flow_packets;
    now_ += kSecond;
    return stray_.Observe(port_, port_ * 1514, flows_, kStart + now_, static_cast<int64_t>(now_));
  }
  StrayEgress stray_;
  uint64_t port_ = 1'000'000;  // Of a dataplane that has run for a while.
  uint64_t flows_ = 900'000;
  uint64_t now_ = 5 * kSecond;
};

TEST_F(StrayEgressTest, WhatFlowsAndTheSlowPathSendIsNotUnusual) {
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(After(100'000 + 500, 100'000)) << i;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(After(1'900, 0)) << i;
}

TEST_F(StrayEgressTest, PacketsOfNoFlowAre) {
  EXPECT_FALSE(After(10, 0));
  const auto unusual = After(50'000, 0);
  ASSERT_TRUE(unusual.has_value());
  EXPECT_EQ(unusual->trigger, Notice::EGRESS_WITHOUT_SESSION);
  EXPECT_EQ(unusual->admitted_bps, 0);
  EXPECT_NEAR(unusual->observed_pps, 48'000, 100);
  EXPECT_NEAR(unusual->observed_bps, 48'000 * 8 * 1500, 48'000 * 8);
  EXPECT_EQ(unusual->to_ns - unusual->from_ns, kSecond);
  EXPECT_TRUE(After(50'000, 0).has_value());  // As long as it goes on.
  EXPECT_FALSE(After(0, 0));
}

TEST_F(StrayEgressTest, PacketsBesideAFlowAre) {
  EXPECT_FALSE(After(100'000, 100'000));
  EXPECT_TRUE(After(150'000, 100'000).has_value());
}

TEST_F(StrayEgressTest, CountersReadAtTwoMomentsAreNot) {
  EXPECT_FALSE(After(100'000, 100'000));
  EXPECT_FALSE(After(0, 300'000));                  // The port's cell was two seconds old,
  EXPECT_FALSE(After(300'000 + 100'000, 100'000));  // and is up to date again.
  EXPECT_FALSE(After(120'000, 100'000));            // The flows' is a fifth of a second old.
  EXPECT_FALSE(After(80'000, 100'000));
  EXPECT_TRUE(After(50'000, 0).has_value());
}

TEST_F(StrayEgressTest, ANewDataplaneBeginsAnew) {
  EXPECT_FALSE(After(10, 10));
  port_ = 0;
  flows_ = 0;
  EXPECT_FALSE(After(100'000, 0));
  EXPECT_FALSE(After(100, 0));
}

}  // namespace
}  // namespace weir::control
