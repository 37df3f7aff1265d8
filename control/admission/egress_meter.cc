#include "control/admission/egress_meter.h"

#include <algorithm>

namespace weir::control {

EgressMeter::Slot& EgressMeter::At(int64_t number) {
  Slot& slot = slots_[static_cast<size_t>(number) % kBuckets];
  if (slot.number < number) slot = {.number = number};
  return slot;
}

std::optional<EgressMeter::Bucket> EgressMeter::Observe(uint64_t tx_bytes, int64_t now_ns) {
  const int64_t number = now_ns / kBucketNs;
  std::optional<Bucket> ended;
  if (current_ >= 0 && number > current_) {
    const Slot& slot = At(current_);
    if (slot.bytes > 0 && last_) {
      ended =
          Bucket{.age_ns = now_ns - current_ * kBucketNs, .bytes = slot.bytes, .counter = *last_};
    }
  }
  current_ = number;
  if (last_) At(number).bytes += tx_bytes < *last_ ? tx_bytes : tx_bytes - *last_;
  last_ = tx_bytes;
  return ended;
}

void EgressMeter::Restore(const Bucket& bucket, int64_t now_ns) {
  // The clock of the two processes may have been set in between: never older than it can be, so
  // that nothing is forgotten too soon.
  const int64_t age_ns = bucket.age_ns < 0 ? 0 : bucket.age_ns;
  if (age_ns > kWindowNs) return;
  At(std::max(now_ns - age_ns, int64_t{0}) / kBucketNs).bytes += bucket.bytes;
}

uint64_t EgressMeter::BytesInWindow(int64_t now_ns) const {
  const int64_t newest = now_ns / kBucketNs;
  uint64_t bytes = 0;
  for (const Slot& slot : slots_) {
    if (slot.number >= 0 && slot.number <= newest &&
        slot.number > newest - static_cast<int64_t>(kBuckets)) {
      bytes += slot.bytes;
    }
  }
  return bytes;
}

}  // namespace weir::control
