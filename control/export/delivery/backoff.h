// How long to wait before trying again.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_BACKOFF_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_BACKOFF_H_

#include <algorithm>
#include <chrono>
#include <random>

namespace weir::control {

// Doubles from `least` to `most`; each wait is drawn from its upper half, so that what failed
// together does not come back together.
class Backoff {
 public:
  explicit Backoff(std::chrono::milliseconds least = std::chrono::milliseconds(100),
                   std::chrono::milliseconds most = std::chrono::seconds(30))
      : least_(least), most_(most), next_(least), random_(std::random_device()()) {}

  std::chrono::milliseconds Next() {
    const auto bound = next_.count();
    next_ = std::min(2 * next_, most_);
    return std::chrono::milliseconds(
        std::uniform_int_distribution<long>(bound - bound / 2, bound)(random_));
  }
  void Reset() { next_ = least_; }

 private:
  const std::chrono::milliseconds least_, most_;
  std::chrono::milliseconds next_;
  std::mt19937 random_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_BACKOFF_H_
