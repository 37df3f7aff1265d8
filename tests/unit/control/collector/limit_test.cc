#include "control/collector/limit.h"

#include <gtest/gtest.h>

namespace weir::control {
namespace {

constexpr uint64_t kGbps = 1'000'000'000;

// A test of 1 Gbit/s that went well.
LimitEvidence Good() {
  LimitEvidence evidence;
  evidence.requested_bps = kGbps;
  evidence.granted_bps = kGbps;
  evidence.offered_bps = 1e9;
  evidence.delivered_bps = 1e9;
  evidence.achieved_bps = 1e9;
  evidence.sent = 100'000;
  evidence.sender_busy = 0.4;
  evidence.receiver_busy = 0.4;
  return evidence;
}

TEST(JudgeLimit, NothingWhenTheRequestWasMet) {
  EXPECT_EQ(JudgeLimit(Good()).limit, record::v1::LIMIT_NONE);
}

TEST(JudgeLimit, PolicyWhenTheGrantWasBelowTheRequestAndWasMet) {
  LimitEvidence evidence = Good();
  evidence.requested_bps = 5 * kGbps;
  evidence.reduced_by = {"guests"};
  const LimitVerdict verdict = JudgeLimit(evidence);
  EXPECT_EQ(verdict.limit, record::v1::LIMIT_POLICY);
  EXPECT_NE(verdict.detail.find("guests"), std::string::npos);
  EXPECT_NE(verdict.detail.find("5.00 Gbit/s"), std::string::npos);
}

TEST(JudgeLimit, PolicyWhenMaxWasAskedForAndARuleCappedIt) {
  LimitEvidence evidence = Good();
  evidence.requested_bps = 0;
  evidence.reduced_by = {"link_budget"};
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_POLICY);
}

TEST(JudgeLimit, NicWhenMaxReachedWhatTheLinkCarries) {
  LimitEvidence evidence = Good();
  evidence.requested_bps = 0;
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_NIC);
}

TEST(JudgeLimit, SenderCpuWhenItsWorkerHadNoTimeLeft) {
  LimitEvidence evidence = Good();
  evidence.offered_bps = evidence.delivered_bps = evidence.achieved_bps = 4e8;
  evidence.sender_busy = 0.99;
  evidence.unsent = 60'000;
  const LimitVerdict verdict = JudgeLimit(evidence);
  EXPECT_EQ(verdict.limit, record::v1::LIMIT_SENDER_CPU);
  EXPECT_NE(verdict.detail.find("99.0 %"), std::string::npos);
}

TEST(JudgeLimit, SenderCpuWhenItsWorkerWasKeptFromRunning) {
  LimitEvidence evidence = Good();
  evidence.offered_bps = evidence.delivered_bps = evidence.achieved_bps = 4e8;
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_SENDER_CPU);
}

TEST(JudgeLimit, NicWhenThePortRefused) {
  LimitEvidence evidence = Good();
  evidence.offered_bps = evidence.delivered_bps = evidence.achieved_bps = 4e8;
  evidence.sender_busy = 0.99;  // Busy with offering.
  evidence.rejected = 50'000;
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_NIC);
}

TEST(JudgeLimit, ReceiverWhenItDidNotEmptyALinkWithoutABuffer) {
  LimitEvidence evidence = Good();
  evidence.offered_bps = evidence.delivered_bps = evidence.achieved_bps = 4e8;
  evidence.rejected = 50'000;
  evidence.receiver_busy = 0.99;
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_RECEIVER);
}

TEST(JudgeLimit, PathWhenPacketsVanishedBetweenThePorts) {
  LimitEvidence evidence = Good();
  evidence.delivered_bps = evidence.achieved_bps = 8e8;
  evidence.lost = 20'000;
  const LimitVerdict verdict = JudgeLimit(evidence);
  EXPECT_EQ(verdict.limit, record::v1::LIMIT_PATH);
  EXPECT_NE(verdict.detail.find("20000 of 100000"), std::string::npos);
}

TEST(JudgeLimit, ReceiverWhenItsPortMissedThem) {
  LimitEvidence evidence = Good();
  evidence.delivered_bps = evidence.achieved_bps = 8e8;
  evidence.lost = 20'000;
  evidence.receiver_port_missed = 19'990;
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_RECEIVER);
}

TEST(JudgeLimit, ReceiverWhenItWasStarvedByEitherEndsAccount) {
  LimitEvidence evidence = Good();
  evidence.delivered_bps = evidence.achieved_bps = 8e8;
  evidence.lost = 20'000;
  evidence.receiver_starved = 0.3;
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_PATH);  // Its port bridged that.
  evidence.receiver_port_missed = 1;
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_RECEIVER);
  evidence.receiver_starved = 0;
  evidence.receiver_says_starved = true;
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_RECEIVER);
}

TEST(JudgeLimit, TheLargerShortfallDecides) {
  LimitEvidence evidence = Good();
  evidence.offered_bps = 5e8;  // Half never left ...
  evidence.delivered_bps = evidence.achieved_bps = 4.9e8;
  evidence.lost = 2'000;  // ... and a little was lost.
  evidence.sender_busy = 1;
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_SENDER_CPU);
}

// 112 packets at the requested rate, and then nothing: what the first and the last of them span
// says nothing of the test.
TEST(JudgeLimit, AShortMomentAtTheRequestedRateIsNotTheRequestMet) {
  LimitEvidence evidence = Good();
  evidence.sent = 112;
  evidence.unsent = 722;
  evidence.offered_bps = evidence.delivered_bps = 1e9 * 112 / (112 + 722);
  evidence.achieved_bps = 1.001e9;
  evidence.receiving = 0.13;
  const LimitVerdict verdict = JudgeLimit(evidence);
  EXPECT_EQ(verdict.limit, record::v1::LIMIT_SENDER_CPU);
  EXPECT_NE(verdict.detail.find("722 packets due never left"), std::string::npos);
  EXPECT_NE(verdict.detail.find("134.29 Mbit/s"), std::string::npos);
}

TEST(JudgeLimit, PathWhenItLostTheSecondHalfOfATest) {
  LimitEvidence evidence = Good();
  evidence.delivered_bps = 5e8;
  evidence.lost = 50'000;
  evidence.receiving = 0.5;
  const LimitVerdict verdict = JudgeLimit(evidence);
  EXPECT_EQ(verdict.limit, record::v1::LIMIT_PATH);
  EXPECT_NE(verdict.detail.find("the receiver got 500.00 Mbit/s"), std::string::npos);
}

TEST(JudgeLimit, WhatComesAllAtOnceWasHeldUp) {
  LimitEvidence evidence = Good();
  evidence.achieved_bps = 2e9;
  evidence.receiving = 0.5;
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_PATH);
  EXPECT_NE(JudgeLimit(evidence).detail.find("50.0 %"), std::string::npos);
  evidence.receiver_starved = 0.4;
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_RECEIVER);
  // Shortened a little by the wait for the first packet is no reason to doubt.
  evidence.receiving = 0.95;
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_NONE);
}

TEST(JudgeLimit, WhatLeftInTimeAndCameLateWasHeldUp) {
  LimitEvidence evidence = Good();
  evidence.achieved_bps = 9e8;
  evidence.receiving = 1.1;
  EXPECT_EQ(JudgeLimit(evidence).limit, record::v1::LIMIT_PATH);
}

TEST(JudgeLimit, PeerWhenItWentSilent) {
  LimitEvidence evidence = Good();
  evidence.ended_early = "peer_lost";
  evidence.by_peer = true;
  const LimitVerdict verdict = JudgeLimit(evidence);
  EXPECT_EQ(verdict.limit, record::v1::LIMIT_PEER);
  EXPECT_NE(verdict.detail.find("peer_lost"), std::string::npos);
}

TEST(JudgeLimit, SaysWhatEndedATestEarlyBesideTheVerdict) {
  LimitEvidence evidence = Good();
  evidence.ended_early = "dataplane_lost";
  const LimitVerdict verdict = JudgeLimit(evidence);
  EXPECT_EQ(verdict.limit, record::v1::LIMIT_NONE);
  EXPECT_NE(verdict.detail.find("dataplane_lost"), std::string::npos);
}

TEST(FormatRate, ChoosesTheUnit) {
  EXPECT_EQ(FormatRate(1.25e9), "1.25 Gbit/s");
  EXPECT_EQ(FormatRate(10e6), "10.00 Mbit/s");
  EXPECT_EQ(FormatRate(800), "800 bit/s");
}

// A sender at "max" that had no time left, with 46-byte packets, 1 Mpps of them.
LimitEvidence Flat() {
  LimitEvidence evidence = Good();
  evidence.requested_bps = 0;
  evidence.granted_bps = 1'000 * kGbps;
  evidence.offered_bps = 46 * 8 * 1e6;
  evidence.achieved_bps = evidence.delivered_bps = evidence.offered_bps;
  evidence.mean_ip_bytes = 46;
  evidence.sender_busy = 1;
  return evidence;
}

bool BlamesTester(const LimitVerdict& verdict) {
  return verdict.detail.find("the tester, not the path") != std::string::npos;
}

TEST(JudgeLimit, TheTesterWhenTheSenderDidAllItCan) {
  LimitEvidence evidence = Flat();
  evidence.generate_pps = 1.02e6;
  const LimitVerdict verdict = JudgeLimit(evidence);
  EXPECT_EQ(verdict.limit, record::v1::LIMIT_SENDER_CPU);
  EXPECT_TRUE(BlamesTester(verdict)) << verdict.detail;
  EXPECT_NE(verdict.detail.find("1.020 Mpps"), std::string::npos) << verdict.detail;
}

TEST(JudgeLimit, NotTheTesterWhenItCouldDoMoreOrIsNotCalibratedOrMetTheRequest) {
  LimitEvidence evidence = Flat();
  EXPECT_FALSE(BlamesTester(JudgeLimit(evidence)));
  evidence.generate_pps = 2e6;
  EXPECT_FALSE(BlamesTester(JudgeLimit(evidence)));
  evidence = Good();
  evidence.mean_ip_bytes = 1500;
  evidence.generate_pps = 1e9 / 8 / 1500;
  EXPECT_FALSE(BlamesTester(JudgeLimit(evidence)));
}

TEST(JudgeReceived, NothingWhenAllArrivedAndThePathWhenSomeDidNot) {
  LimitEvidence evidence = Good();
  EXPECT_EQ(JudgeReceived(evidence).limit, record::v1::LIMIT_NONE);
  evidence.lost = 10;
  EXPECT_EQ(JudgeReceived(evidence).limit, record::v1::LIMIT_PATH);
  evidence.ended_early = "link_down";
  EXPECT_NE(JudgeReceived(evidence).detail.find("link_down"), std::string::npos);
}

TEST(JudgeReceived, TheTesterWhenItsSinkTookAllItCan) {
  LimitEvidence evidence = Flat();
  evidence.sink_pps = 1e6;
  evidence.lost = 1'000;
  evidence.receiver_busy = 1;
  const LimitVerdict verdict = JudgeReceived(evidence);
  EXPECT_EQ(verdict.limit, record::v1::LIMIT_RECEIVER);
  EXPECT_TRUE(BlamesTester(verdict)) << verdict.detail;
}

}  // namespace
}  // namespace weir::control
