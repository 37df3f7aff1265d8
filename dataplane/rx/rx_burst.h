// Takes a burst of received frames apart: measures test packets, punts what the main lcore
// answers, drops and counts the rest.
#ifndef WEIR_DATAPLANE_RX_RX_BURST_H_
#define WEIR_DATAPLANE_RX_RX_BURST_H_

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/rx/rx_flow.h"

namespace weir::dataplane {

class FlowSlots;

// Written by the worker.
struct RxDrops {
  uint64_t unknown = 0;  // Belongs to no session.
  uint64_t malformed = 0;
};

// Measures the test packets of `mbufs[0..count)`, count at most kRxBurst. Moves the frames for
// the main lcore to `punted` (room for kRxBurst) and the others to the front of `mbufs`, in
// order. Returns how many were punted. Frees nothing.
uint16_t MeasureBurst(rte_mbuf** mbufs, uint16_t count, uint16_t vlan, const FlowSlots& flows,
                      uint64_t now_ns, RxDrops* drops, rte_mbuf** punted);

// The same, and frees what it did not punt; the caller then owns what is in `punted`.
uint16_t ReceiveBurst(rte_mbuf** mbufs, uint16_t count, uint16_t vlan, const FlowSlots& flows,
                      uint64_t now_ns, RxDrops* drops, rte_mbuf** punted);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_RX_BURST_H_
