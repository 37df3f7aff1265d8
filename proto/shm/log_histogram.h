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

  // Writer only. Where Add counts `value`, for a writer that first fetches the places of many.
  std::atomic<uint64_t>* Place(uint64_t value) { return &counts[BucketOf(value)]; }
  static void Increment(std::atomic<uint64_t>* place) {
    place->store(place->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // BucketOf for values up to kMaxSmall, by way of the exponent and mantissa of a float, which a
  // compiler can do for several at once.
  static constexpr int32_t kMaxSmall = (1 << 30) - 1;
  static constexpr uint32_t SmallBucketOf(int32_t value) {
    // A float holds 24 bits; those cut are below the bucket's width, and must not round up. Masks
    // instead of branches, so that the compiler does several at once.
    const int32_t large = -static_cast<int32_t>(value >= 1 << 24);
    const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(value & ~(large & 0xFF)));
    const uint32_t bucket =
        (bits >> (23 - kSubBucketBits)) - ((127 + kSubBucketBits - 1) << kSubBucketBits);
    const uint32_t small = -static_cast<uint32_t>(value < static_cast<int32_t>(kSubBuckets));
    return (static_cast<uint32_t>(value) & small) | (bucket & ~small);
  }

  // Writer only. Adds origin - subtrahends[i], each from 0 to kMaxSmall; count at most 64.
  void AddSmall(const uint32_t* subtrahends, uint32_t count, uint32_t origin) {
    uint32_t buckets[64];
    for (uint32_t i = 0; i < count; ++i) {
      buckets[i] = SmallBucketOf(static_cast<int32_t>(origin - subtrahends[i]));
    }
#pragma GCC unroll 4
    for (uint32_t i = 0; i < count; ++i) Increment(&counts[buckets[i]]);
  }

  // Writer only.
  void Add(uint64_t value) { Increment(Place(value)); }
};

static_assert(LogHistogram::BucketLow(LogHistogram::BucketOf(5'000'000)) <= 5'000'000);
static_assert(LogHistogram::SmallBucketOf(5'000'000) == LogHistogram::BucketOf(5'000'000));
static_assert(LogHistogram::SmallBucketOf((1 << 25) - 1) == LogHistogram::BucketOf((1 << 25) - 1));
static_assert(LogHistogram::BucketOf((uint64_t{1} << LogHistogram::kMaxBits) - 1) ==
              LogHistogram::kBuckets - 1);

}  // namespace weir::shm

#endif  // WEIR_PROTO_SHM_LOG_HISTOGRAM_H_
