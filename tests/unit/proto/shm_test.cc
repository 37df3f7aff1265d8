#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "shm/log_histogram.h"
#include "shm/segment.h"
#include "shm/seqlock.h"

namespace weir::shm {
namespace {

struct Pair {
  uint64_t a;
  uint64_t b;
};

TEST(Seqlock, ReadersSeeOnlyWholeValues) {
  auto cell = std::make_unique<SeqlockCell<Pair>>();
  std::memset(static_cast<void*>(cell.get()), 0, sizeof(*cell));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint64_t i = 1; !stop.load(); ++i) cell->Store({i, ~i});
  });
  uint64_t seen = 0;
  while (seen < 20'000) {
    Pair pair{};
    if (!cell->Load(&pair) || cell->version() == 0) continue;
    if (pair.a == 0 && pair.b == 0) continue;  // Before the first store.
    ASSERT_EQ(pair.a, ~pair.b);
    ++seen;
  }
  stop = true;
  writer.join();
}

TEST(Seqlock, ReaderGivesUpOnAWriterThatDiedInTheMiddle) {
  SeqlockCell<Pair> cell{};
  cell.Store({1, 2});
  // An odd version is what such a writer leaves behind.
  reinterpret_cast<std::atomic<uint64_t>*>(&cell)->store(3);
  Pair pair{7, 7};
  EXPECT_FALSE(cell.Load(&pair));
  EXPECT_EQ(pair.a, 7u);
}

TEST(LogHistogram, EveryValueLiesInItsBucket) {
  for (uint64_t value = 0; value < (uint64_t{1} << LogHistogram::kMaxBits);
       value += 1 + value / 200) {
    const uint32_t bucket = LogHistogram::BucketOf(value);
    ASSERT_LT(bucket, LogHistogram::kBuckets);
    const uint64_t low = LogHistogram::BucketLow(bucket);
    const uint64_t width = LogHistogram::BucketWidth(bucket);
    ASSERT_LE(low, value);
    ASSERT_LT(value, low + width);
    if (value > 256) {
      ASSERT_LE(static_cast<double>(width) / static_cast<double>(value), 0.0079);
    }
  }
}

TEST(LogHistogram, BucketsAreContiguous) {
  for (uint32_t bucket = 0; bucket + 1 < LogHistogram::kBuckets; ++bucket) {
    ASSERT_EQ(LogHistogram::BucketLow(bucket) + LogHistogram::BucketWidth(bucket),
              LogHistogram::BucketLow(bucket + 1))
        << bucket;
  }
}

TEST(LogHistogram, HugeValuesShareTheLastBucket) {
  EXPECT_EQ(LogHistogram::BucketOf(UINT64_MAX), LogHistogram::kBuckets - 1);
}

TEST(Segment, PlanIsValidAndLiesInside) {
  SegmentHeader header = PlanSegment(1024, 2, 1, 8);
  EXPECT_TRUE(ValidSegment(header, header.segment_bytes));
  EXPECT_FALSE(ValidSegment(header, header.segment_bytes - 1));
  EXPECT_GE(header.segment_bytes, header.histogram_offset + 2 * 8 * sizeof(LogHistogram));
}

TEST(Segment, ReaderRefusesWhatItDoesNotKnow) {
  const SegmentHeader good = PlanSegment(1024, 2, 1, 8);
  auto refused = [&](auto change) {
    SegmentHeader header = good;
    change(header);
    return !ValidSegment(header, good.segment_bytes);
  };
  EXPECT_TRUE(refused([](SegmentHeader& h) { h.magic ^= 1; }));
  EXPECT_TRUE(refused([](SegmentHeader& h) { h.layout_version += 1; }));
  EXPECT_TRUE(refused([](SegmentHeader& h) { h.slots += 64; }));
  EXPECT_TRUE(refused([](SegmentHeader& h) { h.workers = 0; }));
  EXPECT_TRUE(refused([](SegmentHeader& h) { h.rx_offset += 64; }));
  EXPECT_TRUE(refused([](SegmentHeader& h) { h.histograms = 0xFFFFFFFF; }));
}

}  // namespace
}  // namespace weir::shm
