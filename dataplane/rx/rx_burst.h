// Takes a burst of received frames apart: measures test packets, punts what the main lcore
// answers, drops and counts the rest.
#ifndef WEIR_DATAPLANE_RX_RX_BURST_H_
#define WEIR_DATAPLANE_RX_RX_BURST_H_

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/rx/rx_flow.h"

namespace weir::dataplane {

class RxTable;

inline constexpr uint16_t kRxBurst = 64;

// Written by the worker.
struct RxDrops {
  uint64_t unknown = 0;  // Belongs to no session.
  uint64_t malformed = 0;
};

// Measures and frees the test packets of `mbufs[0..count)`; frames for the main lcore are moved
// to `punted` (room for kRxBurst), which the caller now owns. Returns how many those are.
uint16_t ReceiveBurst(rte_mbuf** mbufs, uint16_t count, uint16_t vlan, const RxTable& table,
                      uint64_t now_ns, RxDrops* drops, rte_mbuf** punted);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_RX_BURST_H_
