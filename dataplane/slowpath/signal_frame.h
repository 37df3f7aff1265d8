// A signal as it came in: who sent it, for which flow end.
#ifndef WEIR_DATAPLANE_SLOWPATH_SIGNAL_FRAME_H_
#define WEIR_DATAPLANE_SLOWPATH_SIGNAL_FRAME_H_

#include <rte_ether.h>
#include <rte_mbuf.h>

#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/flow/flow_spec.h"
#include "wire/signal_packet.h"

namespace weir::dataplane {

// `payload` points into the frame.
struct SignalFrame {
  wire::SignalType type;
  uint32_t slot;
  uint32_t generation;
  UdpEndpoint source;
  UdpEndpoint destination;
  rte_ether_addr source_mac;
  std::span<const uint8_t> payload;

  // The payload as a packet of its type; null if it is too short.
  template <typename Packet>
  const Packet* As() const {
    return payload.size() >= sizeof(Packet) ? reinterpret_cast<const Packet*>(payload.data())
                                            : nullptr;
  }
};

// Nothing if the frame is no signal of a version and type we know.
std::optional<SignalFrame> ParseSignal(const rte_mbuf* frame, uint16_t vlan);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_SLOWPATH_SIGNAL_FRAME_H_
