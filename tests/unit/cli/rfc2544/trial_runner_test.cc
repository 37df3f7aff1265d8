#include "control/cli/rfc2544/trial_runner.h"

#include <gtest/gtest.h>

#include "control/cli/rfc2544/parameters.h"
#include "control/cli/rfc2544/procedure.h"

namespace weir::cli::rfc2544 {
namespace {

using measurement::v1::TestResult;

Rfc2544Trial Asked() {
  Rfc2544Trial plan;
  plan.set_number(7);
  plan.set_frame_bytes(64);
  plan.set_load(1);
  plan.set_intended_fps(1000);
  plan.set_duration_ns(10'000'000'000);
  return plan;
}

// Both ends of a trial in which all was sent and all came.
struct Ends {
  TestResult generated, sunk;

  Ends() {
    auto* sender = generated.add_results();
    sender->set_sent(10'000);
    sender->set_achieved_ethernet_bps(1000.0 * 64 * 8);
    sender->set_limit_detail("the port refused");
    generated.add_record_ids("a-down");
    auto* receiver = sunk.add_results();
    receiver->set_received(10'000);
    receiver->set_limit_detail("the worker was kept from its CPU");
    receiver->mutable_one_way_delay()->set_max_ns(77);
    sunk.add_record_ids("b-up");
  }
  record::v1::DirectionResult* sender() { return generated.mutable_results(0); }
  record::v1::DirectionResult* receiver() { return sunk.mutable_results(0); }
  void Lose(uint64_t frames) {
    receiver()->set_received(10'000 - frames);
    receiver()->set_lost(frames);
  }
};

TEST(Rfc2544Trial, CountsOfBothEnds) {
  Ends ends;
  ends.Lose(250);
  const Rfc2544Trial trial = Measured(Asked(), ends.generated, ends.sunk);
  EXPECT_EQ(trial.number(), 7u);
  EXPECT_NEAR(trial.offered_fps(), 1000, 1e-9);
  EXPECT_EQ(trial.sent(), 10'000u);
  EXPECT_EQ(trial.received(), 9'750u);
  EXPECT_EQ(trial.lost(), 250u);
  EXPECT_EQ(trial.sink_lost(), 250u);
  EXPECT_NEAR(trial.frame_loss_rate(), 2.5, 1e-9);
  EXPECT_EQ(trial.delay().max_ns(), 77);
  EXPECT_EQ(trial.record_ids_size(), 2);
  EXPECT_FALSE(trial.tester_limited()) << trial.tester_limit();
}

TEST(Rfc2544Trial, FramesThatNeverLeftAreTheTesters) {
  Ends ends;
  ends.sender()->set_unsent(20);  // What falls due in 20 ms: a busy moment at the end.
  EXPECT_FALSE(Measured(Asked(), ends.generated, ends.sunk).tester_limited());
  ends.sender()->set_unsent(21);
  const Rfc2544Trial trial = Measured(Asked(), ends.generated, ends.sunk);
  EXPECT_TRUE(trial.tester_limited());
  EXPECT_NE(trial.tester_limit().find("the port refused"), std::string::npos);
  ends.sender()->set_sent(0);
  ends.receiver()->set_received(0);
  EXPECT_TRUE(Measured(Asked(), ends.generated, ends.sunk).tester_limited());
}

TEST(Rfc2544Trial, WhatTheReceivingPortMissedIsTheTestersWhereSomethingWasLost) {
  Ends ends;
  ends.receiver()->set_receiver_port_missed(3);
  EXPECT_FALSE(Measured(Asked(), ends.generated, ends.sunk).tester_limited());
  ends.Lose(3);
  EXPECT_TRUE(Measured(Asked(), ends.generated, ends.sunk).tester_limited());
  ends.receiver()->set_receiver_port_missed(0);
  EXPECT_FALSE(Measured(Asked(), ends.generated, ends.sunk).tester_limited());
  ends.receiver()->set_limit(record::v1::LIMIT_RECEIVER);
  EXPECT_EQ(Measured(Asked(), ends.generated, ends.sunk).tester_limit(),
            "the worker was kept from its CPU");
}

TEST(Rfc2544Trial, ABurstBelowTheLineRateIsTheTesters) {
  Ends ends;
  Rfc2544Trial plan = Asked();
  plan.set_burst_frames(10'000);
  EXPECT_FALSE(Measured(plan, ends.generated, ends.sunk).tester_limited());
  ends.sender()->set_achieved_ethernet_bps(980.0 * 64 * 8);
  EXPECT_TRUE(Measured(plan, ends.generated, ends.sunk).tester_limited());
}

Rfc2544Parameters ParametersOf(const char* ip) {
  Rfc2544Parameters parameters =
      *MakeParameters({.out_port = "left", .in_port = "right", .ip = ip, .streams = "2"}, nullptr);
  parameters.set_line_bps(1e9);
  return parameters;
}

Bench TwoPorts() {
  Bench bench;
  bench.key = "key";
  bench.out.set_name("left");
  bench.out.set_ip4("198.18.0.1/24");
  bench.out.set_ip6("2001:db8::1/64");
  bench.in.set_name("right");
  bench.in.set_ip4("198.18.0.2/24");
  bench.in.set_ip6("2001:db8::2/64");
  return bench;
}

TEST(Rfc2544Trial, TheLineRateIsNeverExceeded) {
  for (const uint32_t frame : {64, 128, 1024, 1280, 1518}) {
    Rfc2544Trial plan = Asked();
    plan.set_frame_bytes(frame);
    plan.set_intended_fps(LineFps(1e9, frame));
    const TrialRequests requests = MakeRequests(ParametersOf("4"), TwoPorts(), plan);
    const auto& load = requests.generator.parameters();
    EXPECT_EQ(load.payload(0).udp_payload_bytes(), frame - 46);
    const double wire_bits = (frame + 20) * 8.0;
    const double ip_bits = (frame - 18) * 8.0;
    EXPECT_LE(static_cast<double>(load.rate_bps()) / ip_bits * wire_bits, 1e9);
    EXPECT_GE(static_cast<double>(load.rate_bps()), 1e9 / wire_bits * ip_bits - 1);
    EXPECT_EQ(load.duration_ns(), plan.duration_ns());
    EXPECT_EQ(load.streams(), 2u);
    EXPECT_FALSE(load.rate_max());
  }
}

TEST(Rfc2544Trial, PortsAndAddressesAreThoseOfTheBench) {
  Bench bench = TwoPorts();
  bench.out.set_vlan(9);
  Rfc2544Trial plan = Asked();
  plan.set_frame_bytes(100);
  plan.set_burst_frames(55);
  const TrialRequests requests = MakeRequests(ParametersOf("6"), bench, plan);
  EXPECT_EQ(requests.generator.port(), "left");
  EXPECT_EQ(requests.generator.peer_ip(), "2001:db8::2");
  EXPECT_EQ(requests.generator.parameters().packets(), 55u);
  EXPECT_EQ(requests.generator.parameters().payload(0).udp_payload_bytes(), 100u - 70);
  EXPECT_EQ(requests.sink.port(), "right");
  EXPECT_EQ(requests.sink.peer_ip(), "2001:db8::1");
  EXPECT_TRUE(requests.sink.clocks_synchronised());
  EXPECT_TRUE(requests.sink.parameters().rate_max());
  EXPECT_EQ(requests.sink.parameters().packets(), 0u);
  EXPECT_GT(requests.sink.parameters().duration_ns(), plan.duration_ns());
  for (const auto& request : {requests.sink, requests.generator}) {
    EXPECT_EQ(request.trial(), 7u);
    EXPECT_EQ(request.key(), "key");
    EXPECT_EQ(request.purpose(), "rfc2544");
  }
}

}  // namespace
}  // namespace weir::cli::rfc2544
