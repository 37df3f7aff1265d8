// One-way delay (RFC 7679), its variation (RFC 3550 jitter, RFC 5481 PDV by histogram).
#ifndef WEIR_DATAPLANE_RX_DELAY_H_
#define WEIR_DATAPLANE_RX_DELAY_H_

#include <rte_prefetch.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

#include "shm/log_histogram.h"

namespace weir::dataplane {

// Counts of a burst that come after it: of packets of many flows, each of which lies in a line of
// its own that is not at hand. Fetched when added, counted by Flush.
class DeferredCounts {
 public:
  void Add(std::atomic<uint64_t>* place) {
    rte_prefetch0_write(place);
    places_[count_++] = place;
  }
  void Flush() {
    for (uint32_t i = 0; i < count_; ++i) shm::LogHistogram::Increment(places_[i]);
    count_ = 0;
  }

 private:
  std::atomic<uint64_t>* places_[64];
  uint32_t count_ = 0;
};

// Written by one worker.
class DelayTracker {
 public:
  // Delays beyond this, or below zero, on the first packet mean that the clocks of the two
  // ends are not one: the histogram then counts from just below that first delay.
  static constexpr int64_t kPlausibleNs = 2'000'000'000;
  static constexpr int64_t kBaseMarginNs = 1'000'000;

  static constexpr uint32_t kMaxBurst = 64;
  static constexpr uint32_t kFew = 4;  // So many packets are counted in the histogram later.

  // Packets that came at one time, in the order they came; `count` from 1 to kMaxBurst.
  // send_low: low 32 bits of each send time; receive_ns: full width; clock_offset: receiver's
  // minus sender's clock to within 2 s (from the beacon; 0 until one came).
  void Add(const uint32_t* send_low, uint32_t count, uint64_t receive_ns, int64_t clock_offset,
           shm::LogHistogram* histogram, DeferredCounts* deferred = nullptr) {
    // Each delay is clock_offset plus a difference that fits 32 bits.
    const auto offset_low = static_cast<uint32_t>(clock_offset);
    const uint32_t origin = static_cast<uint32_t>(receive_ns) - offset_low;
    if (first_) [[unlikely]] {
      first_ = false;
      last_transit_ = static_cast<uint32_t>(receive_ns) - send_low[0];
      const int64_t delay = clock_offset + static_cast<int32_t>(origin - send_low[0]);
      if (delay < 0 || delay > kPlausibleNs) base_ = delay - kBaseMarginNs;
    }

    int32_t low = std::numeric_limits<int32_t>::max();
    int32_t high = std::numeric_limits<int32_t>::min();
    int64_t sum = 0;
    for (uint32_t i = 0; i < count; ++i) {
      const auto difference = static_cast<int32_t>(origin - send_low[i]);
      low = std::min(low, difference);
      high = std::max(high, difference);
      sum += difference;
    }
    min_ = std::min(min_, clock_offset + low);
    max_ = std::max(max_, clock_offset + high);
    sum_ += sum + static_cast<int64_t>(count) * (clock_offset - base_);

    AddJitter(send_low, count, static_cast<uint32_t>(receive_ns));
    if (histogram == nullptr) return;
    const int64_t above_base = clock_offset - base_;
    if (count <= kFew && deferred != nullptr) {
      for (uint32_t i = 0; i < count; ++i) {
        const int64_t delay = above_base + static_cast<int32_t>(origin - send_low[i]);
        deferred->Add(histogram->Place(static_cast<uint64_t>(std::max<int64_t>(delay, 0))));
      }
      return;
    }
    if (above_base + low >= 0 && above_base + high <= shm::LogHistogram::kMaxSmall) [[likely]] {
      // All of them fit 31 bits.
      histogram->AddSmall(send_low, count, origin + static_cast<uint32_t>(above_base));
      return;
    }
    for (uint32_t i = 0; i < count; ++i) {
      const int64_t delay = above_base + static_cast<int32_t>(origin - send_low[i]);
      histogram->Add(static_cast<uint64_t>(std::max<int64_t>(delay, 0)));
    }
  }

  int64_t base() const { return base_; }
  int64_t min() const { return first_ ? 0 : min_; }
  int64_t max() const { return first_ ? 0 : max_; }
  int64_t sum() const { return sum_; }  // Of the delays, each with base() subtracted.
  uint64_t jitter_x16() const { return jitter_x16_; }

 private:
  // RFC 3550 section 6.4.1 and appendix A.8: J += (|D| - J) / 16, J kept times 16. The first
  // packet of a flow differs from itself by 0, which leaves J at 0.
  void AddJitter(const uint32_t* send_low, uint32_t count, uint32_t receive_low) {
    // Of packets received at one time the transit times differ as their send times do.
    uint32_t magnitude[kMaxBurst];
    magnitude[0] = Magnitude(receive_low - send_low[0] - last_transit_);
    for (uint32_t i = 1; i < count; ++i) magnitude[i] = Magnitude(send_low[i - 1] - send_low[i]);
    uint64_t jitter = jitter_x16_;
#pragma GCC unroll 4
    for (uint32_t i = 0; i < count; ++i) jitter += magnitude[i] - ((jitter + 8) >> 4);
    jitter_x16_ = jitter;
    last_transit_ = receive_low - send_low[count - 1];
  }

  static uint32_t Magnitude(uint32_t difference) {
    return static_cast<int32_t>(difference) < 0 ? 0 - difference : difference;
  }

  int64_t min_ = std::numeric_limits<int64_t>::max();
  int64_t max_ = std::numeric_limits<int64_t>::min();
  int64_t sum_ = 0;
  uint64_t jitter_x16_ = 0;
  int64_t base_ = 0;
  uint32_t last_transit_ = 0;
  bool first_ = true;  // No packet yet.
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_DELAY_H_
