#include "dataplane/tx/ramp.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace weir::dataplane {
namespace {

constexpr uint64_t kTscHz = 2'445'406'000;

// Packets of `ip_bytes` due before the end.
uint64_t Count(uint64_t from, uint64_t to, uint64_t seconds, uint64_t ip_bytes) {
  Ramp ramp(from, to, seconds * kTscHz, kTscHz);
  uint64_t count = 0;
  PaceTime last = 0;
  for (const PaceTime end = (seconds * kTscHz) << kPaceFractionBits; ramp.Due() < end; ++count) {
    EXPECT_GE(ramp.Due(), last);
    last = ramp.Due();
    ramp.Take(ip_bytes);
  }
  return count;
}

TEST(Ramp, CountIsTheIntegralRoundedUp) {
  // (from + to) / 2 x seconds / bits.
  EXPECT_EQ(Count(10'000'000, 100'000'000, 2, 1500), 9'167u);   // 9,166.67
  EXPECT_EQ(Count(0, 1'000'000'000, 3, 1499), 125'084u);        // 125,083.39
  EXPECT_EQ(Count(0, 1'000'000, 7, 46), 9'511u);                // 9,510.87
  EXPECT_EQ(Count(99'999'999, 100'000'000, 5, 1000), 62'500u);  // 62,499.9997
  EXPECT_EQ(Count(100'000'000, 100'000'000, 1, 999), 12'513u);  // 12,512.5: no ramp at all.
}

TEST(Ramp, RateAtBothEnds) {
  Ramp ramp(10'000'000, 100'000'000, kTscHz, kTscHz);
  const auto gap_ns = [&] {
    const PaceTime before = ramp.Due();
    ramp.Take(125);  // 1,000 bits: 100 us, at the end 10.
    return static_cast<double>(ramp.Due() - before) / 65536 * 1e9 / kTscHz;
  };
  EXPECT_NEAR(gap_ns(), 100'000, 50);
  ramp.Take(55'000'000 / 8 - 250);
  EXPECT_NEAR(gap_ns(), 10'000, 5);
}

TEST(Ramp, WhatIsBehind) {
  Ramp ramp(0, 8'000'000, kTscHz, kTscHz);  // 500,000 bytes, a quarter of them in the first half.
  EXPECT_NEAR(static_cast<double>(ramp.BytesBehind((kTscHz / 2) << kPaceFractionBits)), 125'000, 1);
  ramp.Take(100'000);
  EXPECT_NEAR(static_cast<double>(ramp.BytesBehind((kTscHz / 2) << kPaceFractionBits)), 25'000, 1);
  ramp.GiveBack(40'000);
  EXPECT_NEAR(static_cast<double>(ramp.BytesBehind((kTscHz / 2) << kPaceFractionBits)), 65'000, 1);
  ramp.Take(100'000);
  EXPECT_EQ(ramp.BytesBehind((kTscHz / 2) << kPaceFractionBits), 0u);
}

}  // namespace
}  // namespace weir::dataplane
