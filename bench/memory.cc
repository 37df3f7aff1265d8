// Bytes that one flow slot can take: what a flow that sends keeps, what a flow that receives keeps,
// and the cells in the counter segment with one worker. Histogram and duplicate window apart. A
// slot holds one of the two at a time, which `one_role` counts.
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
      "{\"bytes_per_slot\": %zu, \"tx\": %zu, \"rx\": %zu, \"shared\": %zu, \"one_role\": %zu, "
      "\"session\": %zu}\n",
      kTx + kRx + kShared, kTx, kRx, kShared, std::max(kTx, kRx) + kShared, kSession);
  return 0;
}
