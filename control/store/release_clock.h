// The clock that embargoes run by.
#ifndef WEIR_CONTROL_STORE_RELEASE_CLOCK_H_
#define WEIR_CONTROL_STORE_RELEASE_CLOCK_H_

#include <cstdint>
#include <string>

namespace weir::control {

// What the host's clocks say at one moment.
struct ClockReading {
  int64_t wall_ns = 0;        // CLOCK_REALTIME.
  int64_t boot_ns = 0;        // CLOCK_BOOTTIME: since the boot, suspended or not.
  std::string boot_id = {};   // Of the kernel: another one, and boot_ns began anew.
  bool synchronised = false;  // adjtimex(2).
};

ClockReading ReadClocks();

// Begins at the wall clock's time and then follows elapsed time alone, so that a wall clock that
// jumps forward releases nothing early and one that jumps back delays nothing. The time a host
// was down is known only by its wall clock: it counts if that was synchronised before and after,
// else the deadline is that much later.
struct ReleaseClock {
  int64_t now_ns = 0;  // 0: never set.
  int64_t boot_ns = 0;
  std::string boot_id = {};
  // The last synchronised wall time, and this clock's then. 0: none yet.
  int64_t anchor_wall_ns = 0;
  int64_t anchor_now_ns = 0;
  bool down_time_open = false;  // A restart's down time is still to be counted.

  void Advance(const ClockReading& reading);
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_RELEASE_CLOCK_H_
