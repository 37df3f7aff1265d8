// Deadline pacing in fixed point: when the next packet is due.
#ifndef WEIR_DATAPLANE_TX_PACER_H_
#define WEIR_DATAPLANE_TX_PACER_H_

#include <cstdint>

#include "dataplane/clock/clock.h"

namespace weir::dataplane {

// TSC cycles with 16 fractional bits, so that at 148.8 Mpps the rate is exact to 5e-7. A time, or
// the span between two. Times wrap around (within 32 hours at 2.4 GHz): which of two is the earlier
// is known as long as they are no more than half of that apart.
using PaceTime = uint64_t;
inline constexpr int kPaceFractionBits = 16;

constexpr PaceTime PaceTimeAt(uint64_t tsc) { return tsc << kPaceFractionBits; }
constexpr bool IsEarlier(PaceTime a, PaceTime b) { return static_cast<int64_t>(a - b) < 0; }

// No deadline is further from the one before it: two hours at 2.4 GHz.
inline constexpr PaceTime kLongestGap = PaceTime{1} << 60;
constexpr PaceTime GapOf(Uint128 exact) {
  return exact < kLongestGap ? static_cast<PaceTime>(exact) : kLongestGap;
}

// From one packet of `ip_bytes` to the next at `rate_bps` (IP layer). 0: unpaced.
constexpr PaceTime PaceInterval(uint64_t ip_bytes, uint64_t rate_bps, uint64_t tsc_hz) {
  if (rate_bps == 0) return 0;
  return GapOf(((Uint128{ip_bytes} * 8 * tsc_hz) << kPaceFractionBits) / rate_bps);
}

// Written and read by the worker that owns the flow.
class Pacer {
 public:
  void Start(uint64_t start_tsc) { due_ = PaceTimeAt(start_tsc); }

  bool Due(PaceTime now) const { return !IsEarlier(now, due_); }
  // It has been due for longer than `slack`.
  bool TooLate(PaceTime now, PaceTime slack) const { return Due(now) && now - due_ > slack; }
  void Advance(PaceTime span) { due_ += span; }
  PaceTime due() const { return due_; }
  void SetDue(PaceTime due) { due_ = due; }

 private:
  PaceTime due_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_TX_PACER_H_
