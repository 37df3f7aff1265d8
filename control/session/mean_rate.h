// What a granted rate comes to over the whole of a direction.
#ifndef WEIR_CONTROL_SESSION_MEAN_RATE_H_
#define WEIR_CONTROL_SESSION_MEAN_RATE_H_

#include <algorithm>
#include <cstdint>

#include "record/v1/record.pb.h"

namespace weir::control {

// Where a RAMP begins, which may have been asked for above what was granted; else 0.
inline uint64_t RampStartBps(const record::v1::TestParameters& parameters) {
  if (parameters.pacing() != record::v1::RAMP) return 0;
  return std::min<uint64_t>(parameters.ramp_start_bps(), parameters.rate_bps());
}

// IP layer, bit/s; rate_bps itself but for a RAMP.
inline double MeanRateBps(const record::v1::TestParameters& parameters) {
  const auto rate = static_cast<double>(parameters.rate_bps());
  if (parameters.pacing() != record::v1::RAMP) return rate;
  return (static_cast<double>(RampStartBps(parameters)) + rate) / 2;
}

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_MEAN_RATE_H_
