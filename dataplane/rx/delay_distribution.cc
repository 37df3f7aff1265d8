#include "dataplane/rx/delay_distribution.h"

#include <rte_prefetch.h>

#include <cstring>

namespace weir::dataplane {

void DelayDistribution::Flush() {
  if (histogram_ == nullptr) return;
  for (uint32_t i = 0; i < kCells; ++i) {
    if (cells_[i] == 0) continue;
    std::atomic<uint64_t>& count = histogram_->counts[first_ + i];
    count.store(count.load(std::memory_order_relaxed) + cells_[i], std::memory_order_relaxed);
    cells_[i] = 0;
  }
}

void DelayDistribution::Prefetch() const {
  if (histogram_ == nullptr) return;
  constexpr uint32_t kTogether = 4;  // Half a line's.
  static_assert(kCells % kTogether == 0);
  for (uint32_t i = 0; i < kCells; i += kTogether) {
    uint32_t some;
    std::memcpy(&some, cells_ + i, sizeof(some));
    if (some != 0) rte_prefetch0_write(&histogram_->counts[first_ + i]);
  }
}

// Where the delays have moved to the cells follow, but not after each that strays.
void DelayDistribution::CountFar(int64_t above_base) {
  if (histogram_ == nullptr) return;
  const uint32_t bucket =
      shm::LogHistogram::BucketOf(static_cast<uint64_t>(std::max<int64_t>(above_base, 0)));
  if (far_ < kMaxFar) {
    ++far_;
    shm::LogHistogram::Increment(&histogram_->counts[bucket]);
    return;
  }
  Flush();
  constexpr uint32_t kLast = shm::LogHistogram::kBuckets - kCells;
  first_ = static_cast<uint16_t>(std::min(bucket - std::min(bucket, kCells / 2), kLast));
  far_ = 0;
  ++cells_[bucket - first_];
}

}  // namespace weir::dataplane
