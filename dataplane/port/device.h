// The DPDK device behind a port: how it is called, created and removed.
#ifndef WEIR_DATAPLANE_PORT_DEVICE_H_
#define WEIR_DATAPLANE_PORT_DEVICE_H_

#include <cstdint>
#include <string>

#include "dataplane/port/port_spec.h"
#include "dataplane/result.h"

namespace weir::dataplane {

// How many queues the device gets. The last TX queue is the main lcore's; af_xdp has none for it.
// Most virtual devices have as many RX as TX queues.
struct QueueCounts {
  uint32_t rx;
  uint32_t tx;
};
QueueCounts WantedQueues(const PortSpec& spec, uint32_t workers);

// The name DPDK knows the device by: "net_af_packet0", "0000:3b:00.0".
std::string DeviceName(const PortSpec& spec, uint16_t index);

// Frame bytes of an AF_PACKET ring for this MTU, and the data an mbuf needs to take one.
uint32_t PacketRingFrame(uint16_t mtu);

// Creates the device in the running EAL. Errors name what is in the way: no such interface, too
// few queues, a socket in use, a driver that refuses.
Status CreateDevice(const PortSpec& spec, uint16_t index, uint32_t workers);

// What the driver says of the link of `ethdev` without waiting. Any thread.
bool LinkIsUp(uint16_t ethdev);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_PORT_DEVICE_H_
