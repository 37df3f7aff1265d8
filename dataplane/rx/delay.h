// One-way delay (RFC 7679), its variation (RFC 3550 jitter, RFC 5481 PDV by histogram).
#ifndef WEIR_DATAPLANE_RX_DELAY_H_
#define WEIR_DATAPLANE_RX_DELAY_H_

#include <cstdint>
#include <limits>

#include "shm/log_histogram.h"

namespace weir::dataplane {

// Written by one worker.
class DelayTracker {
 public:
  // Delays beyond this, or below zero, on the first packet mean that the clocks of the two
  // ends are not one: the histogram then counts from just below that first delay.
  static constexpr int64_t kPlausibleNs = 2'000'000'000;
  static constexpr int64_t kBaseMarginNs = 1'000'000;

  // send_low: low 32 bits of the send time; receive_ns: full width; clock_offset: receiver's
  // minus sender's clock to within 2 s (from the beacon; 0 until one came).
  void Add(uint32_t send_low, uint64_t receive_ns, int64_t clock_offset,
           shm::LogHistogram* histogram) {
    const auto receive_low = static_cast<uint32_t>(receive_ns);
    const uint32_t transit = receive_low - send_low;
    const int64_t delay =
        clock_offset + int64_t{static_cast<int32_t>(transit - static_cast<uint32_t>(clock_offset))};
    if (count_ == 0) {
      if (delay < 0 || delay > kPlausibleNs) base_ = delay - kBaseMarginNs;
    } else {
      AddJitter(static_cast<int32_t>(transit - last_transit_));
    }
    last_transit_ = transit;
    ++count_;
    sum_ += delay - base_;
    if (delay < min_) min_ = delay;
    if (delay > max_) max_ = delay;
    if (histogram != nullptr) {
      histogram->Add(delay > base_ ? static_cast<uint64_t>(delay - base_) : 0);
    }
  }

  uint64_t count() const { return count_; }
  int64_t base() const { return base_; }
  int64_t min() const { return count_ == 0 ? 0 : min_; }
  int64_t max() const { return count_ == 0 ? 0 : max_; }
  int64_t sum() const { return sum_; }
  uint64_t jitter_x16() const { return jitter_x16_; }

 private:
  // RFC 3550 section 6.4.1 and appendix A.8: J += (|D| - J) / 16, J kept times 16.
  void AddJitter(int32_t difference) {
    const uint64_t magnitude = difference < 0 ? static_cast<uint64_t>(-int64_t{difference})
                                              : static_cast<uint64_t>(difference);
    jitter_x16_ += magnitude - ((jitter_x16_ + 8) >> 4);
  }

  uint64_t count_ = 0;
  int64_t base_ = 0;
  int64_t min_ = std::numeric_limits<int64_t>::max();
  int64_t max_ = std::numeric_limits<int64_t>::min();
  int64_t sum_ = 0;
  uint64_t jitter_x16_ = 0;
  uint32_t last_transit_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_DELAY_H_
