// That it is time to end.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_STOP_SIGNAL_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_STOP_SIGNAL_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace weir::control {

// Thread-safe.
class StopSignal {
 public:
  void Stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_.notify_all();
  }
  bool stopped() const {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }
  // False: stopped, and waited no longer.
  bool Wait(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return !wake_.wait_for(lock, time, [this] { return stopped_; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_STOP_SIGNAL_H_
