#include "dataplane/rx/delay.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace weir::dataplane {
namespace {

// A flow's delays, tracked, and what its histogram says of them.
struct Delays {
  void AddOne(uint64_t sent, uint64_t received, int64_t clock_offset) {
    const auto low = static_cast<uint32_t>(sent);
    tracker.Add(&low, 1, received, clock_offset, distribution);
  }
  uint64_t Count(uint32_t bucket) {
    distribution.Flush();
    return histogram->counts[bucket].load();
  }

  DelayTracker tracker;
  std::unique_ptr<shm::LogHistogram> histogram = std::make_unique<shm::LogHistogram>();
  DelayDistribution distribution{histogram.get()};
};

constexpr uint64_t kNow = 1'795'000'000'123'456'789;

TEST(DelayTracker, MeasuresAcrossTheWrapOfTheSendTime) {
  Delays delays;
  for (uint64_t i = 0; i < 10; ++i) {
    const uint64_t sent = kNow + i * 1'000'000'000;  // 4.29 s wrap in between.
    delays.AddOne(sent, sent + 5'000'000 + i, 0);
  }
  EXPECT_EQ(delays.distribution.min(), 5'000'000);
  EXPECT_EQ(delays.distribution.max(), 5'000'009);
  EXPECT_EQ(delays.distribution.base(), 0);
  EXPECT_EQ(delays.tracker.sum(), 50'000'045);
  EXPECT_EQ(delays.Count(shm::LogHistogram::BucketOf(5'000'000)), 10u);
}

TEST(DelayTracker, UsesTheClockOffsetBeyondTwoSeconds) {
  Delays delays;
  constexpr int64_t kOffset = 100'000'000'000;  // The receiver's clock is 100 s ahead.
  delays.AddOne(kNow, kNow + kOffset + 7'000, kOffset + 5'000);
  EXPECT_EQ(delays.distribution.min(), kOffset + 7'000);
  EXPECT_EQ(delays.distribution.base(), kOffset + 7'000 - DelayTracker::kBaseMarginNs);
}

TEST(DelayTracker, NegativeDelaysCountFromABase) {
  Delays delays;
  delays.AddOne(kNow, kNow - 3'000'000, 0);
  EXPECT_EQ(delays.distribution.min(), -3'000'000);
  EXPECT_EQ(delays.distribution.base(), -4'000'000);
  EXPECT_EQ(delays.Count(shm::LogHistogram::BucketOf(1'000'000)), 1u);
}

TEST(DelayTracker, JitterConvergesToTheMeanDifference) {
  Delays delays;
  for (uint64_t i = 0; i < 2'000; ++i) {  // Delays alternate by 80 us: |D| is always 80 us.
    const uint64_t sent = kNow + i * 100'000;
    delays.AddOne(sent, sent + 1'000'000 + (i % 2) * 80'000, 0);
  }
  EXPECT_NEAR(static_cast<double>(delays.tracker.jitter_x16()) / 16, 80'000, 100);
}

// A burst is what its packets are one by one, whichever way these are added.
TEST(DelayTracker, ABurstIsItsPacketsOneByOne) {
  std::mt19937_64 random(7);
  for (const int64_t clock_offset : {int64_t{0}, int64_t{-50'000'000'000}}) {
    Delays bursts, singles, ones;
    for (uint64_t round = 0; round < 200; ++round) {
      const uint64_t received = kNow + round * 1'000'000;
      const auto count = static_cast<uint32_t>(random() % 64 + 1);
      std::vector<uint32_t> sent;
      for (uint32_t i = 0; i < count; ++i) {
        const uint64_t at = received - static_cast<uint64_t>(clock_offset) - random() % 900'000;
        sent.push_back(static_cast<uint32_t>(at));
        singles.AddOne(at, received, clock_offset);
        if (ones.distribution.empty()) {
          ones.AddOne(at, received, clock_offset);
        } else {
          ones.tracker.AddOne(sent.back(), received, clock_offset, ones.distribution);
        }
      }
      bursts.tracker.Add(sent.data(), count, received, clock_offset, bursts.distribution);
    }
    for (Delays* delays : {&bursts, &ones}) {
      EXPECT_EQ(delays->distribution.min(), singles.distribution.min());
      EXPECT_EQ(delays->distribution.max(), singles.distribution.max());
      EXPECT_EQ(delays->distribution.base(), singles.distribution.base());
      EXPECT_EQ(delays->tracker.sum(), singles.tracker.sum());
      EXPECT_EQ(delays->tracker.jitter_x16(), singles.tracker.jitter_x16());
      for (uint32_t i = 0; i < shm::LogHistogram::kBuckets; ++i) {
        ASSERT_EQ(delays->Count(i), singles.Count(i));
      }
    }
  }
}

// Whether delays stay, stray or move, and however many there are: each is in its bucket once.
TEST(DelayDistribution, CountsEachDelayInItsBucket) {
  std::mt19937_64 random(11);
  auto histogram = std::make_unique<shm::LogHistogram>();
  DelayDistribution distribution(histogram.get());
  std::vector<uint64_t> expected(shm::LogHistogram::kBuckets, 0);
  const auto count = [&](uint64_t above_base) {
    distribution.Count(static_cast<int64_t>(above_base));
    ++expected[shm::LogHistogram::BucketOf(above_base >> 63 != 0 ? 0 : above_base)];
  };
  for (uint64_t centre : {0ull, 5ull, 100'000ull, 40'000'000ull, 16'000'000'000ull, ~0ull >> 2}) {
    for (int i = 0; i < 3'000; ++i) {
      count(centre + random() % (centre / 16 + 1));
      if (random() % 50 == 0) count(random() >> (random() % 64));  // Below the base, too.
      if (random() % 500 == 0) distribution.Flush();
    }
    for (int i = 0; i < 1'000; ++i) count(centre);
  }
  distribution.Flush();
  for (uint32_t i = 0; i < shm::LogHistogram::kBuckets; ++i) {
    ASSERT_EQ(histogram->counts[i].load(), expected[i]) << i;
  }
  distribution.Flush();  // What was added is not added again.
  EXPECT_EQ(histogram->counts[shm::LogHistogram::BucketOf(5)].load(),
            expected[shm::LogHistogram::BucketOf(5)]);
}

}  // namespace
}  // namespace weir::dataplane
