// What a flow's one-way delays were: extremes, and the counts that go into its histogram.
#ifndef WEIR_DATAPLANE_RX_DELAY_DISTRIBUTION_H_
#define WEIR_DATAPLANE_RX_DELAY_DISTRIBUTION_H_

#include <algorithm>
#include <cstdint>
#include <limits>

#include "shm/log_histogram.h"
#include "shm/segment.h"

namespace weir::dataplane {

// A flow's delays are close to each other, its histogram is 27 KiB. So the few buckets around them
// are counted here first, in the line that a packet touches anyway, and added to the histogram
// when the counters are published: packets of 65,536 flows in random order then do not touch
// 65,536 histograms. Written by one worker.
class DelayDistribution {
 public:
  // `histogram`: null for none; outlives this.
  explicit DelayDistribution(shm::LogHistogram* histogram) : histogram_(histogram) {}

  // No delay yet.
  bool empty() const { return min_ > max_; }
  int64_t min() const { return empty() ? 0 : min_; }
  int64_t max() const { return empty() ? 0 : max_; }
  int64_t base() const { return base_; }
  shm::LogHistogram* histogram() const { return histogram_; }

  void set_base(int64_t base) { base_ = base; }
  void Widen(int64_t low, int64_t high) {
    if (low < min_) [[unlikely]]
      min_ = low;
    if (high > max_) [[unlikely]]
      max_ = high;
  }

  // True: a delay that changes none of the extremes, and there are some.
  bool Spans(int64_t delay) const { return min_ <= delay && delay <= max_; }

  // Counts what a delay is above the base, below it as 0, if there is a histogram.
  void Count(int64_t above_base) {
    const auto value = static_cast<uint64_t>(above_base);
    if (value >> shm::LogHistogram::kMaxBits != 0) [[unlikely]] {
      CountFar(above_base);
      return;
    }
    const uint32_t cell = shm::LogHistogram::BucketOf(value) - first_;
    if (cell >= kCells) [[unlikely]] {
      CountFar(above_base);
      return;
    }
    if (++cells_[cell] == kFull) [[unlikely]]
      Flush();
  }

  // Adds to the histogram what was counted here.
  void Flush();
  // Fetches where Flush will write.
  void Prefetch() const;

 private:
  static constexpr uint32_t kCells = 20;
  static constexpr uint8_t kFull = UINT8_MAX;
  static constexpr uint8_t kMaxFar = 16;
  static constexpr uint16_t kNowhere = UINT16_MAX;
  static_assert(shm::LogHistogram::kBuckets + kCells < kNowhere);

  void CountFar(int64_t above_base);

  int64_t min_ = std::numeric_limits<int64_t>::max();
  int64_t max_ = std::numeric_limits<int64_t>::min();
  int64_t base_ = 0;  // Subtracted from what is counted.
  shm::LogHistogram* const histogram_;
  uint16_t first_ = kNowhere;  // The bucket of the first cell; without a histogram it stays so.
  uint8_t far_ = kMaxFar;      // Delays outside the cells since these were last moved.
  uint8_t cells_[kCells] = {};
};
// With the flow's fingerprint it fills a line.
static_assert(sizeof(DelayDistribution) == shm::kCacheLine - sizeof(uint64_t));

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_DELAY_DISTRIBUTION_H_
