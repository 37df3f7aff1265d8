// A rate that grows linearly over a flow's duration: when its packets are due.
#ifndef WEIR_DATAPLANE_TX_RAMP_H_
#define WEIR_DATAPLANE_TX_RAMP_H_

#include <cmath>
#include <cstdint>

#include "dataplane/tx/pacer.h"

namespace weir::dataplane {

// The bytes due by a time are the rate's integral up to it, b = r t + a t^2 / 2, and a packet is
// due when the bytes before it are: the deadline is computed from their sum each time, so that no
// error adds up. Written and read by the worker that owns the flow.
class Ramp {
 public:
  // From `from_bps` to `to_bps`, IP layer; at least one of them is not 0.
  Ramp(uint64_t from_bps, uint64_t to_bps, uint64_t duration_cycles, uint64_t tsc_hz)
      : rate_(BytesAUnit(from_bps, tsc_hz)),
        growth_((BytesAUnit(to_bps, tsc_hz) - rate_) /
                std::ldexp(static_cast<double>(duration_cycles), kPaceFractionBits)) {}

  void Start(PaceTime start) { start_ = start; }

  // The deadline of the packet behind those that were taken.
  PaceTime Due() const {
    if (bytes_ == 0) return start_;
    const auto bytes = static_cast<double>(bytes_);
    // The root of the integral in the form that loses no digits where the rate hardly grows.
    return start_ + static_cast<PaceTime>(2 * bytes /
                                          (rate_ + std::sqrt(rate_ * rate_ + 2 * growth_ * bytes)));
  }

  void Take(uint64_t ip_bytes) { bytes_ += ip_bytes; }
  void GiveBack(uint64_t ip_bytes) { bytes_ -= ip_bytes; }

  // Whole bytes that are due by `time` and were not taken.
  uint64_t BytesBehind(PaceTime time) const {
    const auto t = static_cast<double>(time - start_);
    const auto due = static_cast<uint64_t>(t * (rate_ + growth_ * t / 2));
    return due > bytes_ ? due - bytes_ : 0;
  }

 private:
  static double BytesAUnit(uint64_t bps, uint64_t tsc_hz) {
    return std::ldexp(static_cast<double>(bps) / 8 / static_cast<double>(tsc_hz),
                      -kPaceFractionBits);
  }

  const double rate_;    // Bytes a unit of PaceTime at the start,
  const double growth_;  // and what each unit adds to it.
  PaceTime start_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_TX_RAMP_H_
