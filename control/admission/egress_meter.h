// A port's average rate over five minutes, by what it was seen to send.
#ifndef WEIR_CONTROL_ADMISSION_EGRESS_METER_H_
#define WEIR_CONTROL_ADMISSION_EGRESS_METER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace weir::control {

// Fed with the port's cumulative counter, so that whatever left is charged, admitted or not. Times
// are of a clock that never jumps. Not thread-safe.
class EgressMeter {
 public:
  static constexpr int64_t kWindowNs = int64_t{300} * 1'000'000'000;
  static constexpr int64_t kBucketNs = int64_t{5} * 1'000'000'000;

  // A bucket that is over, for the store.
  struct Bucket {
    int64_t age_ns = 0;  // Of its beginning.
    uint64_t bytes = 0;
    uint64_t counter = 0;  // The port's, when it was over.
  };

  // The first counter is where it begins, unless Resume gave one; a smaller one than the last
  // means that the dataplane began anew. Returns the bucket that ended with this call, if it holds
  // anything.
  std::optional<Bucket> Observe(uint64_t tx_bytes, int64_t now_ns);

  // What an earlier process saw.
  void Resume(uint64_t tx_bytes) { last_ = tx_bytes; }
  void Restore(const Bucket& bucket, int64_t now_ns);

  uint64_t BytesInWindow(int64_t now_ns) const;

 private:
  static constexpr size_t kBuckets = static_cast<size_t>(kWindowNs / kBucketNs) + 1;
  struct Slot {
    int64_t number = -1;  // Of the bucket: its beginning / kBucketNs.
    uint64_t bytes = 0;
  };

  Slot& At(int64_t number);

  std::optional<uint64_t> last_;
  int64_t current_ = -1;
  std::array<Slot, kBuckets> slots_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_EGRESS_METER_H_
