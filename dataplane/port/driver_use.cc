#include "dataplane/port/driver_use.h"

#include <linux/membarrier.h>
#include <rte_interrupts.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

namespace weir::dataplane {

// All of the process.
class DriverUsers {
 public:
  static DriverUsers& Get() {
    static auto* const users = new DriverUsers;  // Memory is unmapped to the very end.
    return *users;
  }

  void Add(DriverUse* use) {
    const std::lock_guard lock(mutex_);
    users_.push_back(use);
  }
  void Remove(DriverUse* use) {
    const std::lock_guard lock(mutex_);
    std::erase(users_, use);
  }

  // Until each of them that is in a burst function now has left it.
  void Await() {
    // What this thread wrote is seen by all others behind this, and what they wrote, here.
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    std::unique_lock lock(mutex_);
    for (DriverUse* use : users_) {
      use->seen_ = use->left_.load(std::memory_order_acquire);
      use->awaited_ = true;
    }
    while (std::any_of(users_.begin(), users_.end(), IsAwaited)) {
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::microseconds(20));
      lock.lock();
    }
  }

 private:
  DriverUsers() { syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0); }

  static bool IsAwaited(DriverUse* use) {
    use->awaited_ = use->awaited_ && use->left_.load(std::memory_order_acquire) == use->seen_;
    return use->awaited_;
  }

  std::mutex mutex_;
  std::vector<DriverUse*> users_;
};

DriverUse::DriverUse() { DriverUsers::Get().Add(this); }
DriverUse::~DriverUse() { DriverUsers::Get().Remove(this); }

}  // namespace weir::dataplane

// In the place of libc's, for the libraries of the process, too.
extern "C" int munmap(void* address, size_t bytes) noexcept {
  if (rte_thread_is_intr() != 0) weir::dataplane::DriverUsers::Get().Await();
  return static_cast<int>(syscall(SYS_munmap, address, bytes));
}
