// Deadline pacing in fixed point: when the next packet is due.
#ifndef WEIR_DATAPLANE_TX_PACER_H_
#define WEIR_DATAPLANE_TX_PACER_H_

#include <cstdint>

#include "dataplane/clock/clock.h"

namespace weir::dataplane {

// Time in TSC cycles since the flow was armed, 16 fractional bits: 32 hours at 2.4 GHz, and
// at 148.8 Mpps the rate is exact to 5e-7.
using PaceTime = uint64_t;
inline constexpr int kPaceFractionBits = 16;

// Cycles from one packet of `ip_bytes` to the next at `rate_bps` (IP layer). 0: unpaced.
constexpr PaceTime PaceInterval(uint64_t ip_bytes, uint64_t rate_bps, uint64_t tsc_hz) {
  if (rate_bps == 0) return 0;
  return static_cast<PaceTime>(((Uint128{ip_bytes} * 8 * tsc_hz) << kPaceFractionBits) / rate_bps);
}

// Written and read by the worker that owns the flow.
class Pacer {
 public:
  void Start(uint64_t start_tsc) {
    start_tsc_ = start_tsc;
    due_ = 0;
  }

  PaceTime At(uint64_t tsc) const { return (tsc - start_tsc_) << kPaceFractionBits; }
  bool Due(PaceTime now) const { return due_ <= now; }
  // A flow may be `max_lag` behind and still catch up; deadlines older than this are given up
  // and counted as unsent.
  bool TooLate(PaceTime now, PaceTime max_lag) const { return due_ <= now && now - due_ > max_lag; }
  void Advance(PaceTime interval) { due_ += interval; }
  PaceTime due() const { return due_; }
  void SetDue(PaceTime due) { due_ = due; }

 private:
  uint64_t start_tsc_ = 0;
  PaceTime due_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_TX_PACER_H_
