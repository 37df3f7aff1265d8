// How much a port may answer strangers.
#ifndef WEIR_DATAPLANE_SLOWPATH_REPLY_LIMITER_H_
#define WEIR_DATAPLANE_SLOWPATH_REPLY_LIMITER_H_

#include <algorithm>
#include <cstdint>

namespace weir::dataplane {

// Two token buckets, packets and bits, each of 100 ms depth.
class ReplyLimiter {
 public:
  static constexpr uint64_t kRepliesPerSecond = 1'000;
  static constexpr uint64_t kBitsPerSecond = 1'000'000;
  static constexpr uint64_t kDepthNs = 100'000'000;

  // True, and charged, if a reply whose frame has `bytes` bytes may leave now.
  bool Allow(uint64_t now_ns, uint32_t bytes) {
    // Each bucket is the time at which it would be full again (a virtual scheduling clock).
    const uint64_t packet_cost = 1'000'000'000 / kRepliesPerSecond;
    const uint64_t bit_cost = uint64_t{bytes} * 8 * (1'000'000'000 / kBitsPerSecond);
    const uint64_t packets_at = std::max(packets_full_ns_, now_ns) + packet_cost;
    const uint64_t bits_at = std::max(bits_full_ns_, now_ns) + bit_cost;
    if (packets_at > now_ns + kDepthNs || bits_at > now_ns + kDepthNs) return false;
    packets_full_ns_ = packets_at;
    bits_full_ns_ = bits_at;
    return true;
  }

 private:
  uint64_t packets_full_ns_ = 0;
  uint64_t bits_full_ns_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_SLOWPATH_REPLY_LIMITER_H_
