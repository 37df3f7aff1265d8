// Bytes that one flow slot takes. A slot holds a flow that sends or one that receives, so it takes
// what the larger of them does, and the cells it has in the counter segment with one worker.
// Histogram and duplicate window apart.
#include <algorithm>
#include <cstdio>

#include "dataplane/flow/flow.h"
#include "dataplane/rx/rx_flow.h"
#include "dataplane/tx/tx_flow.h"
#include "shm/segment.h"

int main() {
  using weir::dataplane::Flow;
  using weir::dataplane::RxFlow;
  using weir::dataplane::TxFlow;
  // A worker's two configurations point to each of its flows, its table to those it receives.
  constexpr size_t kPointer = sizeof(void*);
  constexpr size_t kTx = sizeof(TxFlow) + 2 * kPointer;
  constexpr size_t kRx = sizeof(RxFlow) + 3 * kPointer;
  constexpr size_t kShared = sizeof(weir::shm::StatusCell) + sizeof(weir::shm::RxCell);
  // What the main lcore keeps of a session's flow: keys, addresses, leases. No packet touches it.
  constexpr size_t kSession = sizeof(Flow);
  std::printf(
      "{\"bytes_per_slot\": %zu, \"tx\": %zu, \"rx\": %zu, \"shared\": %zu, \"session\": %zu}\n",
      std::max(kTx, kRx) + kShared, kTx, kRx, kShared, kSession);
  return 0;
}
