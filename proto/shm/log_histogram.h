// A log-linear histogram of nanoseconds: 128 buckets an octave, so a bucket is at most
// 0.78 % of its value wide. One writer, relaxed; readers see each bucket whole.
#ifndef WEIR_PROTO_SHM_LOG_HISTOGRAM_H_
#define WEIR_PROTO_SHM_LOG_HISTOGRAM_H_

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace weir::shm {

struct LogHistogram {
  static constexpr uint32_t kSubBucketBits = 7;
  static constexpr uint32_t kSubBuckets = 1u << kSubBucketBits;
  static constexpr uint32_t kMaxBits = 34;  // Values from 2^34 ns (17 s) on share the last bucket.
  static constexpr uint32_t kBuckets = (kMaxBits - kSubBucketBits + 1) * kSubBuckets;

  std::atomic<uint64_t> counts[kBuckets];

  // Values below kSubBuckets have a bucket each; above, the exponent selects a row of
  // kSubBuckets and the bits behind the leading one the bucket in it.
  static constexpr uint32_t BucketOf(uint64_t value) {
    value = std::min(value, (uint64_t{1} << kMaxBits) - 1);
    const uint32_t shift =
        static_cast<uint32_t>(std::bit_width(value | kSubBuckets)) - 1 - kSubBucketBits;
    return shift * kSubBuckets + static_cast<uint32_t>(value >> shift);
  }

  // Smallest value of a bucket.
  static constexpr uint64_t BucketLow(uint32_t bucket) {
    if (bucket < kSubBuckets) return bucket;
    const uint32_t shift = bucket / kSubBuckets - 1;
    return (uint64_t{kSubBuckets} + bucket % kSubBuckets) << shift;
  }
  static constexpr uint64_t BucketWidth(uint32_t bucket) {
    return bucket < 2 * kSubBuckets ? 1 : uint64_t{1} << (bucket / kSubBuckets - 1);
  }

  // Writer only.
  void Add(uint64_t value) {
    std::atomic<uint64_t>& count = counts[BucketOf(value)];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
};

static_assert(LogHistogram::BucketLow(LogHistogram::BucketOf(5'000'000)) <= 5'000'000);
static_assert(LogHistogram::BucketOf((uint64_t{1} << LogHistogram::kMaxBits) - 1) ==
              LogHistogram::kBuckets - 1);

}  // namespace weir::shm

#endif  // WEIR_PROTO_SHM_LOG_HISTOGRAM_H_
