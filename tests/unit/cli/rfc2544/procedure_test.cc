#include "control/cli/rfc2544/procedure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "control/cli/rfc2544/parameters.h"

namespace weir::cli::rfc2544 {
namespace {

constexpr double kLine = 1e9;

Rfc2544Parameters Parameters(Options options = {}) {
  options.out_port = "left";
  options.in_port = "right";
  if (options.frames.empty()) options.frames = "64,1518";
  if (options.resolution.empty()) options.resolution = "1%";
  Rfc2544Parameters parameters = *MakeParameters(options, nullptr);
  parameters.set_line_bps(kLine);
  return parameters;
}

// Forwards `fps` and holds `buffer` frames; what it does to a trial is exact.
struct Dut {
  double fps = 1e12;
  double buffer = 0;

  Rfc2544Trial Run(const Rfc2544Trial& plan) const {
    Rfc2544Trial trial = plan;
    const double seconds = static_cast<double>(plan.duration_ns()) / 1e9;
    const uint64_t sent = plan.burst_frames() != 0
                              ? plan.burst_frames()
                              : static_cast<uint64_t>(plan.intended_fps() * seconds);
    const double excess = std::max(0.0, plan.intended_fps() - fps) / plan.intended_fps();
    const double held = static_cast<double>(sent) * excess;
    const auto lost = static_cast<uint64_t>(std::max(0.0, std::floor(held - buffer)));
    trial.set_offered_fps(plan.intended_fps());
    trial.set_sent(sent);
    trial.set_received(sent - lost);
    trial.set_lost(lost);
    trial.set_frame_loss_rate(FrameLossRate(sent, sent - lost));
    trial.mutable_delay()->set_samples(sent - lost);
    trial.mutable_delay()->set_min_ns(10);
    trial.mutable_delay()->set_p50_ns(20);
    trial.mutable_delay()->set_max_ns(static_cast<int64_t>(30 + plan.repetition()));
    return trial;
  }
};

std::map<Rfc2544Trial::Phase, int> RunAll(Procedure* procedure, const Dut& dut) {
  std::map<Rfc2544Trial::Phase, int> phases;
  while (const auto plan = procedure->Next()) {
    ++phases[plan->phase()];
    EXPECT_TRUE(procedure->Take(dut.Run(*plan)).ok());
  }
  return phases;
}

TEST(Procedure, FindsTheRateOfADutForEachFrameSize) {
  Procedure procedure(Parameters());
  const double limit = LineFps(kLine, 64) * 0.605;  // At 1518 bytes the line is slower than that.
  RunAll(&procedure, {.fps = limit});
  const auto results = procedure.Results();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_NEAR(results[0].throughput_load(), 0.60, 1e-9);
  EXPECT_NEAR(results[0].throughput_fps(), 0.60 * results[0].line_fps(), 1);
  EXPECT_NEAR(results[0].throughput(0).failed_load(), 0.61, 1e-9);
  EXPECT_EQ(results[1].throughput_load(), 1);
  EXPECT_EQ(results[1].throughput(0).failed_load(), 0);
  EXPECT_NEAR(results[0].line_fps(), 1e9 / 8 / 84, 1e-3);
  EXPECT_NEAR(results[0].frame_time_ns(), 512, 1e-9);
  // 40 % of the line rate is lost at the line rate; none from the throughput down.
  const auto& points = results[0].frame_loss(0).points();
  ASSERT_EQ(points.size(), 6);  // 100, 90, 80, 70 %, and two without loss.
  EXPECT_NEAR(points[0].frame_loss_rate(), 39.5, 0.01);
  EXPECT_EQ(points[4].frame_loss_rate(), 0);
  EXPECT_EQ(points[5].frame_loss_rate(), 0);
}

TEST(Procedure, RunsThePhasesOfTheRfc) {
  Procedure procedure(Parameters({.frames = "64", .repeat = "2", .latency_trials = "3"}));
  auto phases = RunAll(&procedure, {});
  EXPECT_EQ(phases[Rfc2544Trial::LEARNING_PHASE], 1);
  EXPECT_EQ(phases[Rfc2544Trial::RAMP_UP_PHASE], 3);
  EXPECT_EQ(phases[Rfc2544Trial::THROUGHPUT_PHASE], 2);  // The line rate passes at once.
  EXPECT_EQ(phases[Rfc2544Trial::LATENCY_PHASE], 3);
  EXPECT_EQ(phases[Rfc2544Trial::FRAME_LOSS_PHASE], 4);
  EXPECT_EQ(phases[Rfc2544Trial::BACK_TO_BACK_PHASE], 0);  // RFC 9004: not where nothing is lost.
  const Rfc2544FrameResult result = procedure.Results()[0];
  ASSERT_EQ(result.notes_size(), 1);
  EXPECT_EQ(result.latency().min_ns(), 10);
  EXPECT_EQ(result.latency().p50_ns(), 20);
  EXPECT_EQ(result.latency().max_ns(), 33);  // Of the third trial.
  EXPECT_FALSE(procedure.Next().has_value());
  EXPECT_EQ(procedure.Remaining().trials, 0u);
}

TEST(Procedure, LatencyIsMeasuredAtTheLowestThroughput) {
  Procedure procedure(Parameters({.tests = "throughput,latency", .frames = "64", .repeat = "2"}));
  int searches = 0;
  while (const auto plan = procedure.Next()) {
    if (plan->phase() == Rfc2544Trial::LATENCY_PHASE) {
      EXPECT_NEAR(plan->load(), 0.30, 1e-9);
      EXPECT_EQ(plan->duration_ns(), 120'000'000'000u);
    }
    searches += plan->phase() == Rfc2544Trial::THROUGHPUT_PHASE ? 1 : 0;
    const double share = plan->repetition() == 1 ? 0.5 : 0.3;
    EXPECT_TRUE(procedure.Take(Dut{.fps = share * LineFps(kLine, 64)}.Run(*plan)).ok());
  }
  EXPECT_GT(searches, 2);
  EXPECT_NEAR(procedure.Results()[0].throughput_load(), 0.30, 1e-9);
}

TEST(Procedure, BackToBackGivesTheBuffer) {
  constexpr double kBuffer = 1000;
  Procedure procedure(Parameters({.tests = "throughput,back-to-back",
                                  .frames = "64",
                                  .bursts = "3",
                                  .burst_resolution = "0%"}));
  RunAll(&procedure, {.fps = 0.5 * LineFps(kLine, 64), .buffer = kBuffer});
  const Rfc2544FrameResult result = procedure.Results()[0];
  ASSERT_EQ(result.back_to_back().frames_size(), 3);
  // What comes in at the line rate and leaves at half of it fills the buffer by half its frames.
  EXPECT_NEAR(result.back_to_back().mean_frames(), 2 * kBuffer, 3);
  EXPECT_EQ(result.back_to_back().deviation_frames(), 0);
  EXPECT_NEAR(result.back_to_back().implied_buffer_s() * result.line_fps(), 2 * kBuffer, 3);
  EXPECT_NEAR(result.back_to_back().corrected_buffer_s() * result.line_fps(), kBuffer,
              kBuffer * 0.03);
  EXPECT_FALSE(result.back_to_back().whole());
}

TEST(Procedure, ADutThatForwardsNothingHasNoThroughputAndNoLatency) {
  Procedure procedure(Parameters({.frames = "64", .bursts = "1"}));
  auto phases = RunAll(&procedure, {.fps = 0});
  const Rfc2544FrameResult result = procedure.Results()[0];
  EXPECT_EQ(result.throughput_load(), 0);
  EXPECT_EQ(phases[Rfc2544Trial::LATENCY_PHASE], 0);
  EXPECT_EQ(phases[Rfc2544Trial::FRAME_LOSS_PHASE], 10);
  EXPECT_EQ(result.frame_loss(0).points(9).frame_loss_rate(), 100);
  EXPECT_EQ(result.back_to_back().max_frames(), 0u);
}

TEST(Procedure, AcceptableLossPasses) {
  Procedure procedure(Parameters({.tests = "throughput", .frames = "64", .loss = "40%"}));
  RunAll(&procedure, {.fps = 0.605 * LineFps(kLine, 64)});
  EXPECT_EQ(procedure.Results()[0].throughput_load(), 1);
}

TEST(Procedure, WhatTheTesterSpoiledIsDoneOnceMoreAndThenSaysSo) {
  Procedure procedure(
      Parameters({.tests = "throughput", .frames = "64", .learning = "0s", .ramp_up = "0s"}));
  const auto spoil = [&] {
    Rfc2544Trial trial = Dut{}.Run(*procedure.Next());
    trial.set_tester_limited(true);
    trial.set_tester_limit("the port refused");
    ASSERT_TRUE(procedure.Take(trial).ok());
  };
  spoil();
  EXPECT_EQ(procedure.Next()->load(), 1);  // The same load again...
  spoil();
  EXPECT_EQ(procedure.Next()->load(), 0.5);  // ...and then it has failed.
  RunAll(&procedure, {});
  const auto& search = procedure.Results()[0].throughput(0);
  EXPECT_NEAR(search.load(), 0.99, 1e-9);
  EXPECT_EQ(search.failed_load(), 1);
  EXPECT_TRUE(search.tester_limited());
  EXPECT_EQ(search.tester_limit(), "the port refused");
}

TEST(Procedure, WhatWasNotOfferedDoesNotEndTheLossCurve) {
  Procedure procedure(Parameters({.tests = "loss", .frames = "64"}));
  while (const auto plan = procedure.Next()) {
    Rfc2544Trial trial = Dut{}.Run(*plan);
    trial.set_tester_limited(plan->load() > 0.65);
    ASSERT_TRUE(procedure.Take(trial).ok());
  }
  const auto& points = procedure.Results()[0].frame_loss(0).points();
  ASSERT_EQ(points.size(), 6);  // 100 to 70 % are the tester's; 60 and 50 % are clean.
  EXPECT_TRUE(points[0].tester_limited() && points[3].tester_limited());
  EXPECT_FALSE(points[4].tester_limited() || points[5].tester_limited());
}

TEST(Procedure, TheEstimateIsNeverBelowWhatIsRun) {
  for (const double share : {0.0, 0.123, 0.5, 0.77, 1.0}) {
    Procedure procedure(Parameters({.repeat = "2", .bursts = "2"}));
    const Estimate before = procedure.Remaining();
    uint64_t trials = 0;
    uint64_t left = before.ns;
    const Dut dut{.fps = share * LineFps(kLine, 64), .buffer = 77};
    while (const auto plan = procedure.Next()) {
      EXPECT_TRUE(procedure.Take(dut.Run(*plan)).ok());
      EXPECT_LE(procedure.Remaining().ns, left);
      left = procedure.Remaining().ns;
      ++trials;
    }
    EXPECT_LE(trials, before.trials) << share;
    EXPECT_GT(before.ns, trials * 5'000'000'000u);
  }
}

TEST(Procedure, AnotherTrialThanTheNextIsRefusedAndNamed) {
  const auto fault = [](void (*change)(Rfc2544Trial*)) {
    Procedure procedure(Parameters());
    Rfc2544Trial trial = Dut{}.Run(*procedure.Next());
    change(&trial);
    const absl::Status status = procedure.Take(trial);
    EXPECT_TRUE(procedure.Next().has_value());
    return std::string(status.message());
  };
  EXPECT_EQ(fault([](Rfc2544Trial*) {}), "");
  const std::pair<const char*, void (*)(Rfc2544Trial*)> wrong[] = {
      {"number", [](Rfc2544Trial* t) { t->set_number(9); }},
      {"phase", [](Rfc2544Trial* t) { t->set_phase(Rfc2544Trial::LATENCY_PHASE); }},
      {"frame_bytes", [](Rfc2544Trial* t) { t->set_frame_bytes(65); }},
      {"repetition", [](Rfc2544Trial* t) { t->set_repetition(2); }},
      {"load", [](Rfc2544Trial* t) { t->set_load(0.3); }},
      {"load", [](Rfc2544Trial* t) { t->set_load(std::nan("")); }},
      {"burst_frames", [](Rfc2544Trial* t) { t->set_burst_frames(3); }},
      {"duration_ns", [](Rfc2544Trial* t) { t->set_duration_ns(3); }},
      {"lost", [](Rfc2544Trial* t) { t->set_lost(3); }},
      {"received", [](Rfc2544Trial* t) { t->set_received(t->sent() + 1); }},
      {"offered_fps", [](Rfc2544Trial* t) { t->set_offered_fps(-1); }}};
  for (const auto& [field, change] : wrong) {
    EXPECT_NE(fault(change).find(field), std::string::npos) << field << ": " << fault(change);
    EXPECT_EQ(fault(change).find("trial 1"), fault(change).find("trial ")) << fault(change);
  }
}

}  // namespace
}  // namespace weir::cli::rfc2544
