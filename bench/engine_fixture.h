// What the packet-engine benchmarks share: flows between two documentation addresses, and packets
// of them as they lie in a port's pool.
#ifndef WEIR_BENCH_ENGINE_FIXTURE_H_
#define WEIR_BENCH_ENGINE_FIXTURE_H_

#include <rte_ether.h>
#include <rte_mbuf.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "dataplane/flow/flow_spec.h"
#include "dataplane/flow/packet_template.h"

namespace weir::bench {

inline constexpr rte_ether_addr kSenderMac = {{2, 0, 0, 0, 0, 1}};
inline constexpr rte_ether_addr kReceiverMac = {{2, 0, 0, 0, 0, 2}};

// Flow `slot`: each has a 5-tuple and a cookie of its own.
inline uint16_t SenderPort(uint32_t slot) { return static_cast<uint16_t>(4000 + slot / 1024); }
inline uint16_t ReceiverPort(uint32_t slot) { return static_cast<uint16_t>(5000 + slot % 1024); }
inline uint64_t Cookie(uint32_t slot) { return wire::MakeCookie(slot, 0x1122334455); }

inline dataplane::FlowSpec SenderSpec(uint32_t udp_payload, uint32_t slot = 1) {
  dataplane::FlowSpec spec;
  spec.slot = slot;
  spec.generation = 1;
  spec.local = {dataplane::IpAddress::FromText("192.0.2.1"), SenderPort(slot)};
  spec.remote = {dataplane::IpAddress::FromText("192.0.2.2"), ReceiverPort(slot)};
  spec.cookie = Cookie(slot);
  spec.rate_max = true;
  spec.sizes = {{udp_payload, 1}};
  spec.duration_ns = dataplane::kMaxDurationNs;
  spec.cap_bytes = UINT64_MAX;
  return spec;
}

inline dataplane::FlowSpec ReceiverSpec(uint32_t slot = 1) {
  dataplane::FlowSpec spec = SenderSpec(wire::kMinUdpPayload, slot);
  std::swap(spec.local, spec.remote);
  return spec;
}

// mbufs with their buffers behind them, one after the other as in a mempool, for code that only
// reads or stamps frames: no EAL, no pool.
class FrameArray {
 public:
  explicit FrameArray(size_t count)
      : mbufs_(count), memory_(std::aligned_alloc(64, count * kElementBytes)) {
    if (memory_ == nullptr) throw std::bad_alloc();
    for (size_t i = 0; i < count; ++i) {
      uint8_t* const element = static_cast<uint8_t*>(memory_) + i * kElementBytes;
      mbufs_[i] = new (element) rte_mbuf{};
      mbufs_[i]->buf_addr = element + sizeof(rte_mbuf);
      mbufs_[i]->buf_len = kBufferBytes;
    }
  }
  ~FrameArray() { std::free(memory_); }
  FrameArray(const FrameArray&) = delete;
  FrameArray& operator=(const FrameArray&) = delete;

  size_t count() const { return mbufs_.size(); }
  rte_mbuf** mbufs() { return mbufs_.data(); }
  rte_mbuf* mbuf(size_t index) { return mbufs_[index]; }
  uint8_t* payload(size_t index) {
    return static_cast<uint8_t*>(mbufs_[index]->buf_addr) + dataplane::kPayloadOffset;
  }

 private:
  // As a pool for 1500-byte packets: odd in cache lines, so that elements spread over the sets.
  static constexpr size_t kBufferBytes = 1728;
  static constexpr size_t kElementBytes = sizeof(rte_mbuf) + kBufferBytes;
  static_assert(kElementBytes % 128 == 64);

  std::vector<rte_mbuf*> mbufs_;
  void* memory_;
};

}  // namespace weir::bench

#endif  // WEIR_BENCH_ENGINE_FIXTURE_H_
