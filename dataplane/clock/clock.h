// The dataplane's clock: TSC to nanoseconds since the Unix epoch, without a system call.
#ifndef WEIR_DATAPLANE_CLOCK_CLOCK_H_
#define WEIR_DATAPLANE_CLOCK_CLOCK_H_

#ifdef __x86_64__
#include <x86intrin.h>
#else
#include <rte_cycles.h>
#endif

#include <cstdint>

#include "shm/seqlock.h"

namespace weir::dataplane {

__extension__ using Uint128 = unsigned __int128;

// The CPU's counter of constant rate, the same on all cores: x86's TSC, aarch64's CNTVCT.
inline uint64_t ReadTsc() {
#ifdef __x86_64__
  return __rdtsc();
#else
  return rte_rdtsc();
#endif
}

// Monotonic ns, for the main lcore's timers and leases.
uint64_t SteadyNs();

// A straight line through the wall clock: ns = ns0 + (tsc - tsc0) x ns_per_cycle.
struct ClockLine {
  uint64_t tsc0 = 0;
  uint64_t ns0 = 0;
  uint64_t ns_per_cycle_q32 = 0;  // Fixed point, 32 fractional bits.

  uint64_t ToNs(uint64_t tsc) const {
    const auto delta = static_cast<int64_t>(tsc - tsc0);
    if (delta < 0) return ns0 - Scale(static_cast<uint64_t>(-delta));
    return ns0 + Scale(static_cast<uint64_t>(delta));
  }

 private:
  uint64_t Scale(uint64_t cycles) const {
    return static_cast<uint64_t>((Uint128{cycles} * ns_per_cycle_q32) >> 32);
  }
};

// Owned by the main lcore, which calls Calibrate once and Update about once a second; any
// thread may call Line. The TSC's rate is measured against CLOCK_MONOTONIC_RAW (the rate
// DPDK reports was seen 0.19 % off), the line follows CLOCK_REALTIME, which NTP or PTP
// disciplines.
class Clock {
 public:
  // Blocks for 50 ms.
  void Calibrate();

  // Moves the line onto the wall clock and refines the TSC's rate.
  void Update();

  // A consistent copy for a worker to keep until its next housekeeping.
  ClockLine Line() const;

  // Main lcore only. The wall clock, ns since the Unix epoch.
  uint64_t NowNs() const { return line_.ToNs(ReadTsc()); }
  uint64_t tsc_hz() const { return tsc_hz_; }
  uint64_t CyclesOf(uint64_t ns) const {
    return static_cast<uint64_t>(Uint128{ns} * tsc_hz_ / 1'000'000'000);
  }
  // How far the wall clock had moved from the line at the last Update, ns.
  uint64_t last_correction_ns() const { return last_correction_ns_; }

 private:
  struct Sample {
    uint64_t tsc;
    uint64_t ns;
  };
  // The closest of several reads bracketed by TSC reads.
  static Sample Take(int clock_id);

  Sample raw_start_{};
  Sample wall_last_{};
  uint64_t tsc_hz_ = 0;
  uint64_t last_correction_ns_ = 0;
  ClockLine line_;
  shm::SeqlockCell<ClockLine> published_{};
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_CLOCK_CLOCK_H_
