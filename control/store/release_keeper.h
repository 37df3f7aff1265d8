// Runs the store's deadlines.
#ifndef WEIR_CONTROL_STORE_RELEASE_KEEPER_H_
#define WEIR_CONTROL_STORE_RELEASE_KEEPER_H_

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "control/store/store.h"

namespace weir::control {

// At once and then every `interval`, on a thread of its own; a failure is logged and tried again.
// Stops when it goes; the store must outlive it.
class ReleaseKeeper {
 public:
  explicit ReleaseKeeper(Store* store,
                         std::chrono::milliseconds interval = std::chrono::seconds(10));
  ~ReleaseKeeper();
  ReleaseKeeper(const ReleaseKeeper&) = delete;
  ReleaseKeeper& operator=(const ReleaseKeeper&) = delete;

 private:
  void Loop();

  Store* const store_;
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_RELEASE_KEEPER_H_
