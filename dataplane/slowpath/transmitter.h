// Builds and sends the main lcore's own packets, from a small pool.
#ifndef WEIR_DATAPLANE_SLOWPATH_TRANSMITTER_H_
#define WEIR_DATAPLANE_SLOWPATH_TRANSMITTER_H_

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/port/port.h"
#include "dataplane/result.h"

namespace weir::dataplane {

// A UDP datagram of the port's own; dscp 0..63, ports in host order.
struct UdpMessage {
  rte_ether_addr destination;
  IpAddress local_ip;
  uint16_t local_port;
  IpAddress remote_ip;  // Of the same family.
  uint16_t remote_port;
  uint8_t dscp = 0;
  std::span<const uint8_t> payload = {};
};

class Transmitter {
 public:
  static Result<std::unique_ptr<Transmitter>> Create();
  ~Transmitter();
  Transmitter(const Transmitter&) = delete;
  Transmitter& operator=(const Transmitter&) = delete;

  // A frame with Ethernet header (and the port's VLAN tag) before `l3_bytes` bytes of room, which
  // *l3 points at, zeroed. Null if the pool is empty or it does not fit 2,048 bytes.
  rte_mbuf* NewFrame(const Port& port, const rte_ether_addr& destination, uint16_t ether_type,
                     uint16_t l3_bytes, uint8_t** l3);

  // The datagram, complete with checksums, DF, ID 0, hop limit 64. Null if the pool is
  // empty, it exceeds the port's MTU, or the two addresses are not of one family.
  rte_mbuf* BuildUdp(const Port& port, const UdpMessage& message);

  // Takes the frame, padded to 60 bytes first. False if the port refused it (it is then freed).
  bool Send(const Port& port, rte_mbuf* frame);

  bool SendUdp(const Port& port, const UdpMessage& message) {
    rte_mbuf* frame = BuildUdp(port, message);
    return frame != nullptr && Send(port, frame);
  }

 private:
  explicit Transmitter(rte_mempool* pool) : pool_(pool) {}
  rte_mempool* pool_;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_SLOWPATH_TRANSMITTER_H_
