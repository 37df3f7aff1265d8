// Counters of one direction's end: its streams' cells, merged.
#ifndef WEIR_CONTROL_COLLECTOR_FLOW_COUNTERS_H_
#define WEIR_CONTROL_COLLECTOR_FLOW_COUNTERS_H_

#include <cstdint>
#include <set>
#include <vector>

#include "control/dataplane/segment.h"
#include "control/dataplane/slots.h"

namespace weir::control {

// A flow this node receives.
struct RxFlow {
  FlowSlot slot;
  int32_t histogram_index = -1;  // -1: none.
};

// Cumulative. Bytes are IP-layer bytes, times ns since the Unix epoch, 0: no packet yet.
struct SenderTotals {
  uint64_t sent = 0;
  uint64_t unsent = 0;
  uint64_t rejected = 0;
  uint64_t ip_bytes = 0;
  uint64_t frame_bytes = 0;
  uint64_t first_ns = 0;
  uint64_t last_ns = 0;
  std::vector<uint64_t> final_sequence;  // Per stream, in order.
  std::set<uint32_t> workers;            // That own a stream.
  bool stale = false;                    // A cell had no consistent copy; it is missing here.
};

struct ReceiverTotals {
  uint64_t received = 0;  // Distinct.
  uint64_t gaps = 0;      // Missing below the highest seen, per stream.
  uint64_t reordered = 0;
  uint64_t duplicated = 0;
  uint64_t late = 0;
  uint64_t ip_bytes = 0;
  uint64_t frame_bytes = 0;
  uint64_t loss_events = 0;
  uint64_t first_ns = 0;
  uint64_t last_ns = 0;
  double jitter_ns = 0;  // Mean over streams.
  // Sum over streams of (bits - bits of the last packet) / (t_last - t_first): README 2.3.
  double achieved_ip_bps = 0;
  double achieved_ethernet_bps = 0;
  std::vector<uint64_t> highest;  // Per stream: highest sequence plus one.
  std::set<uint32_t> workers;     // That saw a packet.
  bool stale = false;
};

// A cell of another generation than the flow's counts as zero: the flow has not touched it.
SenderTotals ReadSender(const Segment& segment, const std::vector<FlowSlot>& flows);
ReceiverTotals ReadReceiver(const Segment& segment, const std::vector<RxFlow>& flows);

// One flow over the workers that saw its packets. False: some cell was stale.
bool MergeWorkers(const Segment& segment, FlowSlot flow, shm::RxCounters* merged,
                  std::set<uint32_t>* workers);

// Packets lost: each stream's own gaps plus what was sent after the last it saw (README 2.3).
// `final_sequence` empty: not known, only the gaps count.
uint64_t LostPackets(const ReceiverTotals& totals, const std::vector<uint64_t>& final_sequence);

// Every packet up to `final_sequence` has come.
bool EverythingArrived(const ReceiverTotals& totals, const std::vector<uint64_t>& final_sequence);

}  // namespace weir::control

#endif  // WEIR_CONTROL_COLLECTOR_FLOW_COUNTERS_H_
