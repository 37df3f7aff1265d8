#include "control/store/release_clock.h"

#include <sys/timex.h>
#include <time.h>

#include <algorithm>
#include <fstream>

namespace weir::control {
namespace {

int64_t Read(clockid_t clock) {
  timespec time = {};
  clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::string ReadBootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

}  // namespace

ClockReading ReadClocks() {
  static const std::string boot_id = ReadBootId();
  timex state = {};
  const int result = adjtimex(&state);
  return {.wall_ns = Read(CLOCK_REALTIME),
          .boot_ns = Read(CLOCK_BOOTTIME),
          .boot_id = boot_id,
          .synchronised = result >= 0 && result != TIME_ERROR && (state.status & STA_UNSYNC) == 0};
}

void ReleaseClock::Advance(const ClockReading& reading) {
  if (now_ns == 0) {
    now_ns = reading.wall_ns;
  } else if (reading.boot_id == boot_id) {
    now_ns += std::max<int64_t>(reading.boot_ns - boot_ns, 0);
  } else {
    now_ns += std::max<int64_t>(reading.boot_ns, 0);
    down_time_open = true;
  }
  boot_id = reading.boot_id;
  boot_ns = reading.boot_ns;
  if (!reading.synchronised) return;
  if (down_time_open && anchor_wall_ns != 0) {
    now_ns = std::max(now_ns, anchor_now_ns + (reading.wall_ns - anchor_wall_ns));
  }
  down_time_open = false;
  anchor_wall_ns = reading.wall_ns;
  anchor_now_ns = now_ns;
}

}  // namespace weir::control
