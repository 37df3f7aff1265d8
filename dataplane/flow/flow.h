// One flow end as the main lcore keeps it, and the table of them.
#ifndef WEIR_DATAPLANE_FLOW_FLOW_H_
#define WEIR_DATAPLANE_FLOW_FLOW_H_

#include <cstdint>
#include <map>
#include <vector>

#include "dataplane/flow/flow_spec.h"
#include "dataplane/port/port.h"
#include "dataplane/port/steering.h"
#include "dataplane/rx/rx_flow.h"
#include "dataplane/slowpath/peer_lease.h"
#include "dataplane/tx/tx_flow.h"

namespace weir::dataplane {

// Main lcore only, but for what `tx` and `rx` share with the workers. Times are SteadyNs.
struct Flow {
  FlowSpec spec;
  Port* port = nullptr;
  v1::FlowState state = v1::PROGRAMMED;
  v1::EndReason reason = v1::END_NONE;
  bool ending = false;  // Waits for the workers' final counters, and to be left by them.
  bool left = false;    // Is in no worker's next configuration.
  uint64_t programmed_ns = 0;
  uint64_t proven_ns = 0;
  uint64_t armed_ns = 0;
  uint64_t ended_ns = 0;
  bool pinned = false;  // Its neighbour is.

  // TX.
  TxFlow* tx = nullptr;  // In its worker's slots, from arming until it is released.
  uint32_t worker = 0;
  bool proof_accepted = false;
  PeerLease lease;
  uint64_t feedback_ns = 0;  // RX of a bench: when END came.
  uint64_t feedback_received = 0;
  uint64_t peer_highest = 0;  // RX of a bench: the final sequence.
  uint32_t ends_sent = 0;     // TX of a bench.
  uint64_t next_end_ns = 0;

  // RX.
  std::vector<RxFlow*> rx;  // In the slots of each worker of the port, until it is released.
  SteeringRule steering;    // Empty: the device chooses the queue.
  int32_t histogram = -1;
  uint32_t hellos = 0;
  uint64_t next_hello_ns = 0;
  uint64_t next_feedback_ns = 0;
  uint64_t feedback_counter = 0;
  uint64_t nonce = 0;

  bool finished() const { return state == v1::FINISHED; }
};

using FlowTable = std::map<uint32_t, Flow>;  // By slot.

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_FLOW_FLOW_H_
