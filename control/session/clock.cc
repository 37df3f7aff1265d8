#include "control/session/clock.h"

#include <sodium.h>
#include <sys/timex.h>
#include <time.h>

#include <fstream>
#include <string>

namespace weir::control {
namespace {

// Processes of one boot of one kernel read one realtime clock. Hashed: the id itself would tell
// peers more than that two clocks are the same.
std::string HostClock() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot_id;
  if (!std::getline(file, boot_id)) return "";
  const std::string input = "weir host clock " + boot_id;
  unsigned char digest[16];
  crypto_generichash(digest, sizeof(digest), reinterpret_cast<const unsigned char*>(input.data()),
                     input.size(), nullptr, 0);
  char hex[2 * sizeof(digest) + 1];
  return sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
}

}  // namespace

uint64_t NowUnixNs() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

measurement::v1::ClockQuality ReadClockQuality() {
  static const std::string host_clock = HostClock();
  measurement::v1::ClockQuality quality;
  timex state{};
  const int result = adjtimex(&state);
  quality.set_synchronised(result >= 0 && result != TIME_ERROR && (state.status & STA_UNSYNC) == 0);
  if (result >= 0) quality.set_max_error_ns(static_cast<uint64_t>(state.maxerror) * 1000);
  quality.set_host_clock(host_clock);
  return quality;
}

bool ClocksAgree(const measurement::v1::ClockQuality& a, const measurement::v1::ClockQuality& b) {
  if (!a.host_clock().empty() && a.host_clock() == b.host_clock()) return true;
  return a.synchronised() && b.synchronised();
}

}  // namespace weir::control
