// Who is inside a driver's burst functions, for the driver that does not wait until they are out.
#ifndef WEIR_DATAPLANE_PORT_DRIVER_USE_H_
#define WEIR_DATAPLANE_PORT_DRIVER_USE_H_

#include <atomic>
#include <cstdint>

#include "shm/segment.h"

namespace weir::dataplane {

// The memif driver takes a connection down on EAL's interrupt thread, whenever the peer goes: it
// marks it as down, so that a burst function that is called now does nothing, and then unmaps the
// rings, whoever still reads them (DPDK 22.11, memif_disconnect). With a worker that polls without
// a pause that had been a SIGSEGV one time in ten. It unmaps with munmap(), and so the dataplane
// has its own one (driver_use.cc), which on that thread first waits until all who may be in a burst
// function have come out.
//
// A thread may call burst functions while it has one of these.
class alignas(shm::kCacheLine) DriverUse {
 public:
  DriverUse();
  ~DriverUse();
  DriverUse(const DriverUse&) = delete;
  DriverUse& operator=(const DriverUse&) = delete;

  // The thread is in none. A worker says so once a round: a store to a line that nobody else
  // touches meanwhile.
  void Leave() {
    left_.store(left_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

 private:
  friend class DriverUsers;

  std::atomic<uint64_t> left_{0};
  uint64_t seen_ = 0;     // Of left_, by who waits.
  bool awaited_ = false;  // It has not left since.
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_PORT_DRIVER_USE_H_
