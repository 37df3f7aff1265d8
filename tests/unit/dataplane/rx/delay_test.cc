#include "dataplane/rx/delay.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>

namespace weir::dataplane {
namespace {

constexpr uint64_t kNow = 1'795'000'000'123'456'789;

TEST(DelayTracker, MeasuresAcrossTheWrapOfTheSendTime) {
  DelayTracker tracker;
  auto histogram = std::make_unique<shm::LogHistogram>();
  for (uint64_t i = 0; i < 10; ++i) {
    const uint64_t sent = kNow + i * 1'000'000'000;  // 4.29 s wrap in between.
    tracker.Add(static_cast<uint32_t>(sent), sent + 5'000'000 + i, 0, histogram.get());
  }
  EXPECT_EQ(tracker.min(), 5'000'000);
  EXPECT_EQ(tracker.max(), 5'000'009);
  EXPECT_EQ(tracker.base(), 0);
  EXPECT_EQ(tracker.sum(), 50'000'045);
  EXPECT_EQ(histogram->counts[shm::LogHistogram::BucketOf(5'000'000)].load(), 10u);
}

TEST(DelayTracker, UsesTheClockOffsetBeyondTwoSeconds) {
  DelayTracker tracker;
  constexpr int64_t kOffset = 100'000'000'000;  // The receiver's clock is 100 s ahead.
  tracker.Add(static_cast<uint32_t>(kNow), kNow + kOffset + 7'000, kOffset + 5'000, nullptr);
  EXPECT_EQ(tracker.min(), kOffset + 7'000);
  EXPECT_EQ(tracker.base(), kOffset + 7'000 - DelayTracker::kBaseMarginNs);
}

TEST(DelayTracker, NegativeDelaysCountFromABase) {
  DelayTracker tracker;
  auto histogram = std::make_unique<shm::LogHistogram>();
  tracker.Add(static_cast<uint32_t>(kNow), kNow - 3'000'000, 0, histogram.get());
  EXPECT_EQ(tracker.min(), -3'000'000);
  EXPECT_EQ(tracker.base(), -4'000'000);
  EXPECT_EQ(histogram->counts[shm::LogHistogram::BucketOf(1'000'000)].load(), 1u);
}

TEST(DelayTracker, JitterConvergesToTheMeanDifference) {
  DelayTracker tracker;
  for (uint64_t i = 0; i < 2'000; ++i) {  // Delays alternate by 80 us: |D| is always 80 us.
    const uint64_t sent = kNow + i * 100'000;
    tracker.Add(static_cast<uint32_t>(sent), sent + 1'000'000 + (i % 2) * 80'000, 0, nullptr);
  }
  EXPECT_NEAR(static_cast<double>(tracker.jitter_x16()) / 16, 80'000, 100);
}

}  // namespace
}  // namespace weir::dataplane
