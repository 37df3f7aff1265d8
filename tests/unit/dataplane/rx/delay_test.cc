#include "dataplane/rx/delay.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace weir::dataplane {
namespace {

void AddOne(DelayTracker& tracker, uint64_t sent, uint64_t received, int64_t clock_offset,
            shm::LogHistogram* histogram) {
  const auto low = static_cast<uint32_t>(sent);
  tracker.Add(&low, 1, received, clock_offset, histogram);
}

constexpr uint64_t kNow = 1'795'000'000'123'456'789;

TEST(DelayTracker, MeasuresAcrossTheWrapOfTheSendTime) {
  DelayTracker tracker;
  auto histogram = std::make_unique<shm::LogHistogram>();
  for (uint64_t i = 0; i < 10; ++i) {
    const uint64_t sent = kNow + i * 1'000'000'000;  // 4.29 s wrap in between.
    AddOne(tracker, sent, sent + 5'000'000 + i, 0, histogram.get());
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
  AddOne(tracker, kNow, kNow + kOffset + 7'000, kOffset + 5'000, nullptr);
  EXPECT_EQ(tracker.min(), kOffset + 7'000);
  EXPECT_EQ(tracker.base(), kOffset + 7'000 - DelayTracker::kBaseMarginNs);
}

TEST(DelayTracker, NegativeDelaysCountFromABase) {
  DelayTracker tracker;
  auto histogram = std::make_unique<shm::LogHistogram>();
  AddOne(tracker, kNow, kNow - 3'000'000, 0, histogram.get());
  EXPECT_EQ(tracker.min(), -3'000'000);
  EXPECT_EQ(tracker.base(), -4'000'000);
  EXPECT_EQ(histogram->counts[shm::LogHistogram::BucketOf(1'000'000)].load(), 1u);
}

TEST(DelayTracker, JitterConvergesToTheMeanDifference) {
  DelayTracker tracker;
  for (uint64_t i = 0; i < 2'000; ++i) {  // Delays alternate by 80 us: |D| is always 80 us.
    const uint64_t sent = kNow + i * 100'000;
    AddOne(tracker, sent, sent + 1'000'000 + (i % 2) * 80'000, 0, nullptr);
  }
  EXPECT_NEAR(static_cast<double>(tracker.jitter_x16()) / 16, 80'000, 100);
}

// A burst is what its packets are one by one.
TEST(DelayTracker, ABurstIsItsPacketsOneByOne) {
  std::mt19937_64 random(7);
  for (const int64_t clock_offset : {int64_t{0}, int64_t{-50'000'000'000}}) {
    DelayTracker bursts, singles;
    auto burst_histogram = std::make_unique<shm::LogHistogram>();
    auto single_histogram = std::make_unique<shm::LogHistogram>();
    for (uint64_t round = 0; round < 200; ++round) {
      const uint64_t received = kNow + round * 1'000'000;
      const auto count = static_cast<uint32_t>(random() % 64 + 1);
      std::vector<uint32_t> sent;
      for (uint32_t i = 0; i < count; ++i) {
        const uint64_t at = received - static_cast<uint64_t>(clock_offset) - random() % 900'000;
        sent.push_back(static_cast<uint32_t>(at));
        AddOne(singles, at, received, clock_offset, single_histogram.get());
      }
      bursts.Add(sent.data(), count, received, clock_offset, burst_histogram.get());
    }
    EXPECT_EQ(bursts.min(), singles.min());
    EXPECT_EQ(bursts.max(), singles.max());
    EXPECT_EQ(bursts.sum(), singles.sum());
    EXPECT_EQ(bursts.base(), singles.base());
    EXPECT_EQ(bursts.jitter_x16(), singles.jitter_x16());
    for (uint32_t i = 0; i < shm::LogHistogram::kBuckets; ++i) {
      ASSERT_EQ(burst_histogram->counts[i].load(), single_histogram->counts[i].load());
    }
  }
}

}  // namespace
}  // namespace weir::dataplane
