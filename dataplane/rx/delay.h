// One-way delay (RFC 7679), its variation (RFC 3550 jitter, RFC 5481 PDV by histogram).
#ifndef WEIR_DATAPLANE_RX_DELAY_H_
#define WEIR_DATAPLANE_RX_DELAY_H_

#include <algorithm>
#include <cstdint>
#include <limits>

#include "dataplane/rx/delay_distribution.h"
#include "shm/log_histogram.h"

namespace weir::dataplane {

// Written by one worker. Small, for it lies in the line that each packet writes; what fills a line
// of its own is in the flow's DelayDistribution, the same one for each call.
class DelayTracker {
 public:
  // Delays beyond this, or below zero, on the first packet mean that the clocks of the two
  // ends are not one: the histogram then counts from just below that first delay.
  static constexpr int64_t kPlausibleNs = 2'000'000'000;
  static constexpr int64_t kBaseMarginNs = 1'000'000;

  static constexpr uint32_t kMaxBurst = 64;
  static constexpr uint32_t kFew = 4;  // So many do not outweigh the histogram's lines.

  // Packets that came at one time, in the order they came; `count` from 1 to kMaxBurst.
  // send_low: low 32 bits of each send time; receive_ns: full width; clock_offset: receiver's
  // minus sender's clock to within 2 s (from the beacon; 0 until one came).
  void Add(const uint32_t* send_low, uint32_t count, uint64_t receive_ns, int64_t clock_offset,
           DelayDistribution& delays) {
    // Each delay is clock_offset plus a difference that fits 32 bits.
    const auto offset_low = static_cast<uint32_t>(clock_offset);
    const uint32_t origin = static_cast<uint32_t>(receive_ns) - offset_low;
    if (delays.empty()) [[unlikely]]
      Start(send_low[0], receive_ns, clock_offset, delays);

    int32_t low = std::numeric_limits<int32_t>::max();
    int32_t high = std::numeric_limits<int32_t>::min();
    int64_t sum = 0;
    for (uint32_t i = 0; i < count; ++i) {
      const auto difference = static_cast<int32_t>(origin - send_low[i]);
      low = std::min(low, difference);
      high = std::max(high, difference);
      sum += difference;
    }
    const int64_t above_base = clock_offset - delays.base();
    delays.Widen(clock_offset + low, clock_offset + high);
    sum_ += sum + static_cast<int64_t>(count) * above_base;

    AddJitter(send_low, count, static_cast<uint32_t>(receive_ns));
    shm::LogHistogram* const histogram = delays.histogram();
    if (histogram == nullptr) return;
    if (count > kFew && above_base + low >= 0 && above_base + high <= shm::LogHistogram::kMaxSmall)
        [[likely]] {
      // All of them fit 31 bits.
      histogram->AddSmall(send_low, count, origin + static_cast<uint32_t>(above_base));
      return;
    }
    for (uint32_t i = 0; i < count; ++i) {
      delays.Count(above_base + static_cast<int32_t>(origin - send_low[i]));
    }
  }

  // The same of one packet. False, and nothing is done, if it is the flow's first.
  bool AddOne(uint32_t send_low, uint64_t receive_ns, int64_t clock_offset,
              DelayDistribution& delays) {
    const uint32_t transit = static_cast<uint32_t>(receive_ns) - send_low;
    const int64_t delay =
        clock_offset + static_cast<int32_t>(transit - static_cast<uint32_t>(clock_offset));
    if (!delays.Spans(delay)) [[unlikely]] {
      if (delays.empty()) return false;
      delays.Widen(delay, delay);
    }
    const int64_t above_base = delay - delays.base();
    sum_ += above_base;
    jitter_x16_ += Magnitude(transit - last_transit_) - ((jitter_x16_ + 8) >> 4);
    last_transit_ = transit;
    delays.Count(above_base);
    return true;
  }

  int64_t sum() const { return sum_; }  // Of the delays, each with the base subtracted.
  uint64_t jitter_x16() const { return jitter_x16_; }

 private:
  void Start(uint32_t send_low, uint64_t receive_ns, int64_t clock_offset,
             DelayDistribution& delays) {
    last_transit_ = static_cast<uint32_t>(receive_ns) - send_low;
    const int64_t delay =
        clock_offset + static_cast<int32_t>(last_transit_ - static_cast<uint32_t>(clock_offset));
    if (delay < 0 || delay > kPlausibleNs) delays.set_base(delay - kBaseMarginNs);
  }

  // RFC 3550 section 6.4.1 and appendix A.8: J += (|D| - J) / 16, J kept times 16. The first
  // packet of a flow differs from itself by 0, which leaves J at 0.
  void AddJitter(const uint32_t* send_low, uint32_t count, uint32_t receive_low) {
    // Of packets received at one time the transit times differ as their send times do.
    uint32_t magnitude[kMaxBurst];
    magnitude[0] = Magnitude(receive_low - send_low[0] - last_transit_);
    for (uint32_t i = 1; i < count; ++i) magnitude[i] = Magnitude(send_low[i - 1] - send_low[i]);
    // With the 8 that rounds kept in the sum, a packet waits for two operations of the one before.
    uint64_t rounded = jitter_x16_ + 8;
#pragma GCC unroll 4
    for (uint32_t i = 0; i < count; ++i) rounded = (rounded + magnitude[i]) - (rounded >> 4);
    jitter_x16_ = rounded - 8;
    last_transit_ = receive_low - send_low[count - 1];
  }

  static uint32_t Magnitude(uint32_t difference) {
    return static_cast<int32_t>(difference) < 0 ? 0 - difference : difference;
  }

  int64_t sum_ = 0;
  uint64_t jitter_x16_ = 0;
  uint32_t last_transit_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_DELAY_H_
