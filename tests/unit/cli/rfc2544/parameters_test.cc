#include "control/cli/rfc2544/parameters.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::cli::rfc2544 {
namespace {

using measurement::v1::Rfc2544Parameters;

Options Ports() {
  Options options;
  options.out_port = "left";
  options.in_port = "right";
  return options;
}

std::vector<uint32_t> Frames(const Rfc2544Parameters& parameters) {
  return {parameters.frame_bytes().begin(), parameters.frame_bytes().end()};
}

TEST(Rfc2544Parameters, TheRfcsOwnAreTheDefaults) {
  const auto parameters = MakeParameters(Ports(), nullptr);
  ASSERT_TRUE(parameters.ok());
  EXPECT_EQ(Frames(*parameters), (std::vector<uint32_t>{64, 128, 256, 512, 1024, 1280, 1518}));
  EXPECT_EQ(parameters->tests_size(), 4);
  EXPECT_EQ(parameters->trial_ns(), 60'000'000'000u);
  EXPECT_EQ(parameters->latency_trial_ns(), 120'000'000'000u);
  EXPECT_EQ(parameters->latency_trials(), 20u);
  EXPECT_EQ(parameters->acceptable_loss(), 0);
  EXPECT_EQ(parameters->residual_ns(), 2'000'000'000u);
  EXPECT_EQ(parameters->settle_ns(), 5'000'000'000u);
  EXPECT_EQ(parameters->bursts(), 50u);
}

TEST(Rfc2544Parameters, TheSmallestFrameOnIpv6IsWhatHoldsATestPacket) {
  Options options = Ports();
  options.ip = "6";
  EXPECT_EQ(Frames(*MakeParameters(options, nullptr))[0], 84u);
  EXPECT_EQ(LeastFrame(6, false), 84u);
  EXPECT_EQ(LeastFrame(4, false), 64u);
  EXPECT_EQ(LeastFrame(4, true), 68u);
  EXPECT_EQ(PayloadOf(1518, 4, false), 1472u);
  EXPECT_EQ(PayloadOf(1518, 6, false), 1452u);
  EXPECT_EQ(PayloadOf(1522, 4, true), 1472u);
}

TEST(Rfc2544Parameters, LatencyTrialsFollowTheTrials) {
  Options options = Ports();
  options.trial = "2s";
  EXPECT_EQ(MakeParameters(options, nullptr)->latency_trial_ns(), 4'000'000'000u);
  options.latency_trial = "1s";
  EXPECT_EQ(MakeParameters(options, nullptr)->latency_trial_ns(), 1'000'000'000u);
}

TEST(Rfc2544Parameters, TestsAreInTheRfcsOrder) {
  Options options = Ports();
  options.tests = "loss,throughput";
  const auto parameters = MakeParameters(options, nullptr);
  ASSERT_EQ(parameters->tests_size(), 2);
  EXPECT_EQ(parameters->tests(0), measurement::v1::THROUGHPUT);
  EXPECT_EQ(parameters->tests(1), measurement::v1::FRAME_LOSS);
}

struct Wrong {
  std::string Options::*flag;
  const char* value;
  const char* named;    // The flag.
  const char* allowed;  // What the message says is allowed.
};

TEST(Rfc2544Parameters, WhatMakesNoSenseIsNamed) {
  const Wrong all[] = {{&Options::out_port, "", "--out", "required"},
                       {&Options::in_port, "", "--in", "required"},
                       {&Options::frames, "63", "--frame", "64 to"},
                       {&Options::frames, "64,70000", "--frame", "64 to"},
                       {&Options::frames, "64,abc", "--frame", "abc"},
                       {&Options::frames, "64,64", "--frame", "twice"},
                       {&Options::streams, "0", "--streams", "1 to 1024"},
                       {&Options::streams, "2000", "--streams", "1 to 1024"},
                       {&Options::streams, "-1", "--streams", "whole number"},
                       {&Options::resolution, "0", "--resolution", "0.001% to 50%"},
                       {&Options::resolution, "nan", "--resolution", "0.001% to 50%"},
                       {&Options::resolution, "fine", "--resolution", "0.1%"},
                       {&Options::loss, "-1%", "--loss", "0% to"},
                       {&Options::loss, "100%", "--loss", "0% to"},
                       {&Options::loss_step, "20%", "--loss-step", "to 10%"},
                       {&Options::trial, "0s", "--trial", "100.000 ms to"},
                       {&Options::trial, "2h", "--trial", "to 3600.000 s"},
                       {&Options::trial, "fast", "--trial", "not a time"},
                       {&Options::settle, "1h", "--settle", "0s (none)"},
                       {&Options::residual, "0s", "--residual", "100.000 ms"},
                       {&Options::repeat, "0", "--repeat", "1 to"},
                       {&Options::latency_trials, "0", "--latency-trials", "1 to"},
                       {&Options::bursts, "0", "--bursts", "1 to"},
                       {&Options::longest_burst, "0s", "--longest-burst", "1.000 ms"},
                       {&Options::burst_resolution, "60%", "--burst-resolution", "50%"},
                       {&Options::tests, "speed", "--tests", "back-to-back"},
                       {&Options::tests, "latency", "--tests", "add throughput"},
                       {&Options::ip, "5", "--ip", "4, 6"},
                       {&Options::dscp, "64", "--dscp", "0 to 63"},
                       {&Options::line_rate, "max", "--line-rate", "10G"},
                       {&Options::line_rate, "1k", "--line-rate", "10 kbit/s"}};
  for (const Wrong& wrong : all) {
    Options options = Ports();
    options.*wrong.flag = wrong.value;
    const auto parameters = MakeParameters(options, nullptr);
    ASSERT_FALSE(parameters.ok()) << wrong.named << " " << wrong.value;
    const std::string message(parameters.status().message());
    EXPECT_EQ(message.find(std::string(wrong.named) + ": "), 0u) << message;
    EXPECT_NE(message.find(wrong.allowed), std::string::npos) << message;
  }
}

TEST(Rfc2544Parameters, AFileIsContinuedWithItsOwnAndWithNoOthers) {
  Options begun = Ports();
  begun.trial = "2s";
  begun.frames = "64,128";
  const Rfc2544Parameters file = *MakeParameters(begun, nullptr);
  // Nothing given, or the same.
  for (const Options& options : {Options{}, begun}) {
    const auto asked = MakeParameters(options, &file);
    ASSERT_TRUE(asked.ok());
    EXPECT_TRUE(CheckSame(file, *asked).ok()) << CheckSame(file, *asked).message();
  }
  const std::tuple<std::string Options::*, const char*, const char*, const char*> others[] = {
      {&Options::out_port, "middle", "--out: ", "left"},
      {&Options::trial, "3s", "--trial: ", "2.000 s"},
      {&Options::frames, "64", "--frame: ", "64,128"},
      {&Options::tests, "throughput", "--tests: ", "back-to-back"},
      {&Options::resolution, "1%", "--resolution: ", "0.1%"},
      {&Options::loss, "1%", "--loss: ", "none"},
      {&Options::streams, "2", "--streams: ", "1"},
      {&Options::line_rate, "1G", "--line-rate: ", "none"}};
  for (const auto& [flag, value, named, was] : others) {
    Options options;
    options.*flag = value;
    const auto asked = MakeParameters(options, &file);
    ASSERT_TRUE(asked.ok()) << named;
    const std::string message(CheckSame(file, *asked).message());
    EXPECT_EQ(message.find(named), 0u) << message;
    EXPECT_NE(message.find(was), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace weir::cli::rfc2544
