#include "dataplane/clock/clock.h"

#include <time.h>

#include <cstdlib>
#include <limits>

namespace weir::dataplane {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;

uint64_t ReadClock(int clock_id) {
  timespec now;
  clock_gettime(clock_id, &now);
  return static_cast<uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

uint64_t SteadyNs() { return ReadClock(CLOCK_MONOTONIC); }

Clock::Sample Clock::Take(int clock_id) {
  Sample best{};
  uint64_t best_width = std::numeric_limits<uint64_t>::max();
  for (int i = 0; i < 8; ++i) {
    const uint64_t before = ReadTsc();
    const uint64_t ns = ReadClock(clock_id);
    const uint64_t width = ReadTsc() - before;
    if (width < best_width) {
      best_width = width;
      best = {before + width / 2, ns};
    }
  }
  return best;
}

void Clock::Calibrate() {
  raw_start_ = Take(CLOCK_MONOTONIC_RAW);
  wall_last_ = Take(CLOCK_REALTIME);
  const timespec pause{0, 50'000'000};
  nanosleep(&pause, nullptr);
  line_ = {wall_last_.tsc, wall_last_.ns, 0};
  Update();
  last_correction_ns_ = 0;
}

void Clock::Update() {
  const Sample raw = Take(CLOCK_MONOTONIC_RAW);
  tsc_hz_ = static_cast<uint64_t>(Uint128{raw.tsc - raw_start_.tsc} * kNsPerSecond /
                                  (raw.ns - raw_start_.ns));

  const Sample wall = Take(CLOCK_REALTIME);
  const uint64_t predicted = line_.ToNs(wall.tsc);
  last_correction_ns_ = predicted > wall.ns ? predicted - wall.ns : wall.ns - predicted;

  // The slope of the last interval follows an NTP slew. A step (or no progress) says nothing
  // about the slope: fall back to the TSC's own rate.
  const Uint128 tsc_slope = (Uint128{kNsPerSecond} << 32) / tsc_hz_;
  Uint128 slope = tsc_slope;
  if (wall.ns > wall_last_.ns && wall.tsc > wall_last_.tsc) {
    const Uint128 measured = (Uint128{wall.ns - wall_last_.ns} << 32) / (wall.tsc - wall_last_.tsc);
    const Uint128 tolerance = tsc_slope / 1000;  // adjtimex slews at most 500 ppm.
    if (measured > tsc_slope - tolerance && measured < tsc_slope + tolerance) slope = measured;
  }
  line_ = {wall.tsc, wall.ns, static_cast<uint64_t>(slope)};
  wall_last_ = wall;
  published_.Store(line_);
}

ClockLine Clock::Line() const {
  ClockLine line;
  while (!published_.Load(&line)) {
  }
  return line;
}

}  // namespace weir::dataplane
