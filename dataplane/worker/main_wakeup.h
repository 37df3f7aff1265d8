// How workers wake the main lcore, which sleeps between its rounds.
#ifndef WEIR_DATAPLANE_WORKER_MAIN_WAKEUP_H_
#define WEIR_DATAPLANE_WORKER_MAIN_WAKEUP_H_

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "ipc/seqpacket.h"
#include "shm/segment.h"

namespace weir::dataplane {

// A worker makes at most one system call for each time that the main lcore went to sleep: whoever
// floods a port with what is punted cannot have it make more. The line is written as often.
class alignas(shm::kCacheLine) MainWakeup {
 public:
  MainWakeup() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  // Readable: a worker asks. Negative if there was no descriptor to be had.
  int fd() const { return event_.get(); }

  // Main lcore. After Arm it looks for what workers gave it, and only then sleeps: what it did not
  // see then wakes it.
  void Arm() {
    armed_.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);  // Wake has the other.
  }
  // Main lcore, awake: what workers give it now it will see without being asked to.
  void Disarm() {
    armed_.store(false, std::memory_order_relaxed);
    uint64_t asked;
    (void)!read(event_.get(), &asked, sizeof(asked));
  }

  // A worker, after it gave the main lcore something.
  void Wake() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!armed_.load(std::memory_order_relaxed)) return;
    if (!armed_.exchange(false, std::memory_order_relaxed)) return;
    const uint64_t one = 1;
    while (write(event_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
    }
  }

 private:
  const ipc::UniqueFd event_;
  std::atomic<bool> armed_{false};
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_WORKER_MAIN_WAKEUP_H_
