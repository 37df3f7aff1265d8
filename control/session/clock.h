// This host's clock and how good it is.
#ifndef WEIR_CONTROL_SESSION_CLOCK_H_
#define WEIR_CONTROL_SESSION_CLOCK_H_

#include <cstdint>

#include "measurement/v1/measurement.pb.h"

namespace weir::control {

uint64_t NowUnixNs();

// From adjtimex(2).
measurement::v1::ClockQuality ReadClockQuality();

// One-way delays between these clocks are absolute: each is synchronised, or they are one.
bool ClocksAgree(const measurement::v1::ClockQuality& a, const measurement::v1::ClockQuality& b);

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_CLOCK_H_
