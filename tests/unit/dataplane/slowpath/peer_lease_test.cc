#include "dataplane/slowpath/peer_lease.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "wire/signal_packet.h"

namespace weir::dataplane {
namespace {

using Phase = PeerLease::Phase;
constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kStart = 1'000'000'000'000;

class PeerLeaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    lease_.Arm(kStart);
    lease_.RememberNonce(42, kStart);
  }
  PeerLease lease_;
};

TEST_F(PeerLeaseTest, BeforeTheFirstFeedbackNoLoadAnd2Seconds) {
  EXPECT_EQ(lease_.load_until_ns(), 0u);
  EXPECT_EQ(lease_.Tick(kStart + 1999 * kMs), Phase::kUnconfirmed);
  EXPECT_EQ(lease_.Tick(kStart + 2000 * kMs), Phase::kLost);
  EXPECT_FALSE(lease_.Renew(1, 42, kStart + 2001 * kMs));
}

TEST_F(PeerLeaseTest, EachFeedbackHoldsFor250Milliseconds) {
  ASSERT_TRUE(lease_.Renew(1, 42, kStart + 10 * kMs));
  EXPECT_EQ(lease_.load_until_ns(), kStart + 260 * kMs);
  EXPECT_EQ(lease_.Tick(kStart + 259 * kMs), Phase::kHeld);
  EXPECT_EQ(lease_.Tick(kStart + 260 * kMs), Phase::kPaused);
  EXPECT_EQ(lease_.load_until_ns(), 0u);
  EXPECT_EQ(lease_.pauses(), 1u);
}

TEST_F(PeerLeaseTest, RefusesReplaysUnknownAndOldNonces) {
  ASSERT_TRUE(lease_.Renew(5, 42, kStart + kMs));
  EXPECT_FALSE(lease_.Renew(5, 42, kStart + 2 * kMs));
  EXPECT_FALSE(lease_.Renew(4, 42, kStart + 2 * kMs));
  EXPECT_FALSE(lease_.Renew(6, 43, kStart + 2 * kMs));
  EXPECT_FALSE(lease_.Renew(6, 0, kStart + 2 * kMs));  // Never sent, though the ring is zeroed.
  EXPECT_TRUE(lease_.Renew(6, 42, kStart + wire::kNonceLifetimeNs));
  EXPECT_FALSE(lease_.Renew(7, 42, kStart + wire::kNonceLifetimeNs + 1));
}

TEST_F(PeerLeaseTest, ResumesAtAQuarterAndDoublesEachSecond) {
  ASSERT_TRUE(lease_.Renew(1, 42, kStart));
  ASSERT_EQ(lease_.Tick(kStart + 300 * kMs), Phase::kPaused);
  const uint64_t resumed = kStart + 1000 * kMs;
  ASSERT_TRUE(lease_.Renew(2, 42, resumed));
  EXPECT_EQ(lease_.rate_shift(), 2u);
  uint64_t counter = 3;
  auto keep_until = [&](uint64_t until) {
    for (uint64_t now = resumed; now <= until; now += 10 * kMs) {
      lease_.RememberNonce(99, now);
      lease_.Renew(counter++, 99, now);
      lease_.Tick(now);
    }
  };
  keep_until(resumed + 990 * kMs);
  EXPECT_EQ(lease_.rate_shift(), 2u);
  keep_until(resumed + 1010 * kMs);
  EXPECT_EQ(lease_.rate_shift(), 1u);
  keep_until(resumed + 2020 * kMs);
  EXPECT_EQ(lease_.rate_shift(), 0u);
}

TEST_F(PeerLeaseTest, ASilentPeerIsProbedFor2SecondsThenLost) {
  ASSERT_TRUE(lease_.Renew(1, 42, kStart));
  uint64_t now = kStart + 250 * kMs;
  ASSERT_EQ(lease_.Tick(now), Phase::kPaused);
  int probes = 0;
  Phase phase = Phase::kPaused;
  for (; phase == Phase::kPaused; now += kMs) {
    phase = lease_.Tick(now);
    if (phase == Phase::kPaused && lease_.BeaconDue(now)) ++probes;
  }
  EXPECT_EQ(phase, Phase::kLost);
  EXPECT_EQ(probes, 20);  // One each 100 ms.
  EXPECT_EQ((now - kMs - kStart) / kMs, 2250u);
}

// Whoever looks at the lease just when it says so sees what one sees who looks all the time.
TEST_F(PeerLeaseTest, SaysWhenToLookAgain) {
  std::vector<uint64_t> beacons;
  std::vector<std::pair<uint64_t, Phase>> phases;
  Phase before = Phase::kUnconfirmed;
  uint64_t feedback = 0;
  auto look = [&](uint64_t now) {
    // Feedback for half a second, silence for half a second, then feedback until the rate is whole.
    const uint64_t since = now - kStart;
    if (now % (10 * kMs) == 0 && (since < 500 * kMs || since > 1000 * kMs) && since < 4000 * kMs) {
      lease_.RememberNonce(99, now);
      lease_.Renew(++feedback, 99, now);
    }
    const Phase phase = lease_.Tick(now);
    if (phase != before) phases.emplace_back(now, phase);
    before = phase;
    if (lease_.BeaconDue(now)) beacons.push_back(now);
  };
  for (uint64_t now = kStart; now < kStart + 7000 * kMs; now += kMs) look(now);
  const std::vector<uint64_t> all_beacons = std::exchange(beacons, {});
  const auto all_phases = std::exchange(phases, {});
  ASSERT_EQ(all_phases.size(), 5u);  // Held, paused, held, paused, lost.

  SetUp();
  before = Phase::kUnconfirmed;
  feedback = 0;
  int looks = 0;
  for (uint64_t now = kStart; now < kStart + 7000 * kMs; ++looks) {
    look(now);
    const uint64_t feedback_comes = now - now % (10 * kMs) + 10 * kMs;
    now = std::min(std::max(lease_.next_tick_ns(), now + kMs), feedback_comes);
  }
  EXPECT_EQ(beacons, all_beacons);
  EXPECT_EQ(phases, all_phases);
  EXPECT_LT(looks, 1000);
}

TEST_F(PeerLeaseTest, BeaconsEvery50Milliseconds) {
  int beacons = 0;
  for (uint64_t now = kStart; now < kStart + 1000 * kMs; now += kMs) {
    if (lease_.BeaconDue(now)) ++beacons;
  }
  EXPECT_EQ(beacons, 20);
}

}  // namespace
}  // namespace weir::dataplane
