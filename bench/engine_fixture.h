// What the packet-engine benchmarks share: a flow between two documentation addresses, and
// packets of it as a port would deliver them.
#ifndef WEIR_BENCH_ENGINE_FIXTURE_H_
#define WEIR_BENCH_ENGINE_FIXTURE_H_

#include <rte_ether.h>
#include <rte_mbuf.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/flow/flow_spec.h"
#include "dataplane/flow/packet_template.h"

namespace weir::bench {

inline constexpr rte_ether_addr kSenderMac = {{2, 0, 0, 0, 0, 1}};
inline constexpr rte_ether_addr kReceiverMac = {{2, 0, 0, 0, 0, 2}};
inline constexpr uint32_t kReceiverSlot = 1;

inline dataplane::FlowSpec SenderSpec(uint32_t udp_payload) {
  dataplane::FlowSpec spec;
  spec.slot = 1;
  spec.generation = 1;
  spec.local = {dataplane::IpAddress::FromText("192.0.2.1"), 4000};
  spec.remote = {dataplane::IpAddress::FromText("192.0.2.2"), 5000};
  spec.cookie = wire::MakeCookie(kReceiverSlot, 0x1122334455);
  spec.rate_max = true;
  spec.sizes = {{udp_payload, 1}};
  spec.duration_ns = dataplane::kMaxDurationNs;
  spec.cap_bytes = UINT64_MAX;
  return spec;
}

inline dataplane::FlowSpec ReceiverSpec() {
  dataplane::FlowSpec spec = SenderSpec(wire::kMinUdpPayload);
  std::swap(spec.local, spec.remote);
  spec.slot = kReceiverSlot;
  return spec;
}

// mbufs over heap buffers, for code that only reads or stamps frames: no EAL, no pool.
class FrameArray {
 public:
  FrameArray(size_t count, uint32_t udp_payload)
      : size_(SenderSpec(udp_payload), udp_payload, kSenderMac, kReceiverMac, 0), frames_(count) {
    for (Frame& frame : frames_) {
      frame.buffer.resize(dataplane::kPayloadOffset + udp_payload + 64);
      uint8_t* payload = frame.buffer.data() + dataplane::kPayloadOffset;
      size_.WriteHeaders(payload);
      frame.mbuf.buf_addr = frame.buffer.data();
      frame.mbuf.data_off = static_cast<uint16_t>(dataplane::kPayloadOffset - size_.header_bytes());
      frame.mbuf.data_len = static_cast<uint16_t>(size_.frame_bytes());
      frame.mbuf.pkt_len = size_.frame_bytes();
    }
  }

  const dataplane::PacketTemplate& size() const { return size_; }
  size_t count() const { return frames_.size(); }
  rte_mbuf* mbuf(size_t index) { return &frames_[index].mbuf; }
  uint8_t* payload(size_t index) {
    return frames_[index].buffer.data() + dataplane::kPayloadOffset;
  }

 private:
  struct Frame {
    std::vector<uint8_t> buffer;
    rte_mbuf mbuf{};
  };
  dataplane::PacketTemplate size_;
  std::vector<Frame> frames_;
};

}  // namespace weir::bench

#endif  // WEIR_BENCH_ENGINE_FIXTURE_H_
