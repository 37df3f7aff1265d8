// Bytes that one flow slot takes: the private state of a flow that sends and of one that receives,
// and the cells both have in the counter segment. Histogram and duplicate window apart.
#include <cstdio>

#include "dataplane/flow/packet_template.h"
#include "dataplane/rx/rx_flow.h"
#include "dataplane/tx/tx_flow.h"
#include "shm/segment.h"

int main() {
  using weir::dataplane::PaceTime;
  using weir::dataplane::PacketTemplate;
  using weir::dataplane::RxFlow;
  using weir::dataplane::TxFlow;
  // Of one packet size: its template, its interval, a mix of one.
  const size_t tx = sizeof(TxFlow) + sizeof(PacketTemplate) + sizeof(PaceTime) + sizeof(uint8_t);
  const size_t rx = sizeof(RxFlow);
  const size_t shared =
      sizeof(weir::shm::StatusCell) + sizeof(weir::shm::TxCell) + sizeof(weir::shm::RxCell);
  std::printf("{\"bytes_per_slot\": %zu, \"tx\": %zu, \"rx\": %zu, \"shared\": %zu}\n",
              tx + rx + shared, tx, rx, shared);
  return 0;
}
