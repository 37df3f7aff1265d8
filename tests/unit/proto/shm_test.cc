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

// As large as a day at 100 Gbit/s makes them: nothing is cut where the cell packs them.
TEST(RxCell, KeepsEveryCounter) {
  RxCounters in{};
  in.generation = 0xFFFF'FFFE;
  in.packets = 12'000'000'000'001;
  in.bytes = 1'080'000'000'000'002;
  in.frame_bytes = 1'480'000'000'000'003;
  in.highest_sequence = 13'000'000'000'004;
  in.reordered = 12'000'000'000'005;
  in.duplicated = 12'000'000'000'006;
  in.late = 12'000'000'000'007;
  in.loss_events = 6'000'000'000'008;
  in.first_ns = 1'795'000'000'000'000'009;
  in.last_ns = in.first_ns + 86'400'000'000'010;
  in.jitter_x16_ns = 0x7'FFFF'FFFB;
  in.last_packet_bytes = 65'535;
  in.delay_base_ns = -1'795'000'000'000'000'011;
  in.delay_min_ns = -1'795'000'000'000'000'012;
  in.delay_max_ns = -13;
  in.delay_sum_ns = -14;
  auto cell = std::make_unique<RxCell>();
  cell->cell.Store(in);
  RxCounters out{};
  ASSERT_TRUE(cell->cell.Load(&out));
  EXPECT_EQ(std::memcmp(&in, &out, sizeof(in)), 0);
  EXPECT_EQ(out.lost(), 1'000'000'000'003u);

  in.last_ns = in.first_ns - 1;  // The clock was set back meanwhile.
  cell->cell.Store(in);
  ASSERT_TRUE(cell->cell.Load(&out));
  EXPECT_EQ(out.last_ns, in.first_ns);
}

// A slot sends or receives: what one flow left is not taken for the next one's.
TEST(Segment, TheTxCellOfASlotIsItsFirstRxCell) {
  const SegmentHeader header = PlanSegment(4, 2, 1, 0);
  std::vector<uint64_t> memory(header.segment_bytes / 8 + 8, 0);
  auto* base =
      reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) & ~63ull);
  new (base) SegmentHeader(header);
  const SegmentWriter segment(base);
  RxCounters received{};
  received.generation = 1;
  received.packets = 7;
  segment.rx(0, 2).cell.Store(received);
  TxCounters sent{};
  sent.generation = 2;
  sent.packets = 9;
  segment.tx(2).cell.Store(sent);
  segment.rx(1, 2).cell.Store(received);
  sent = {};
  ASSERT_TRUE(segment.tx(2).cell.Load(&sent));
  EXPECT_EQ(sent.generation, 2u);
  EXPECT_EQ(sent.packets, 9u);
  ASSERT_TRUE(segment.rx(0, 2).cell.Load(&received));
  EXPECT_EQ(received.generation, 2u);  // No longer the first flow's.
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
