#include "control/collector/flow_counters.h"

#include <algorithm>
#include <optional>

namespace weir::control {
namespace {

void TakeEarlier(uint64_t time, uint64_t* earliest) {
  if (time != 0 && (*earliest == 0 || time < *earliest)) *earliest = time;
}

}  // namespace

SenderTotals ReadSender(const Segment& segment, const std::vector<FlowSlot>& flows) {
  SenderTotals totals;
  for (const FlowSlot& flow : flows) {
    const std::optional<shm::TxCounters> tx = segment.Tx(flow.slot);
    totals.stale |= !tx.has_value();
    if (!tx.has_value() || tx->generation != flow.generation) {
      totals.final_sequence.push_back(0);
      continue;
    }
    totals.sent += tx->packets;
    totals.unsent += tx->unsent;
    totals.rejected += tx->rejected;
    totals.ip_bytes += tx->bytes;
    totals.frame_bytes += tx->frame_bytes;
    TakeEarlier(tx->first_ns, &totals.first_ns);
    totals.last_ns = std::max(totals.last_ns, tx->last_ns);
    totals.final_sequence.push_back(tx->packets);
    totals.workers.insert(tx->worker);
  }
  return totals;
}

bool MergeWorkers(const Segment& segment, FlowSlot flow, shm::RxCounters* merged,
                  std::set<uint32_t>* workers) {
  *merged = {};
  bool complete = true;
  uint64_t jitter_weight = 0;
  for (uint32_t worker = 0; worker < segment.header().workers; ++worker) {
    const std::optional<shm::RxCounters> rx = segment.Rx(worker, flow.slot);
    complete &= rx.has_value();
    if (!rx.has_value() || rx->generation != flow.generation || rx->packets == 0) continue;
    workers->insert(worker);
    merged->packets += rx->packets;
    merged->bytes += rx->bytes;
    merged->frame_bytes += rx->frame_bytes;
    merged->highest_sequence = std::max(merged->highest_sequence, rx->highest_sequence);
    merged->reordered += rx->reordered;
    merged->duplicated += rx->duplicated;
    merged->late += rx->late;
    merged->loss_events += rx->loss_events;
    TakeEarlier(rx->first_ns, &merged->first_ns);
    if (rx->last_ns >= merged->last_ns) {
      merged->last_ns = rx->last_ns;
      merged->last_packet_bytes = rx->last_packet_bytes;
    }
    // Jitter of the worker that saw most: theirs are samples of the same path.
    if (rx->packets > jitter_weight) {
      jitter_weight = rx->packets;
      merged->jitter_x16_ns = rx->jitter_x16_ns;
    }
  }
  // Each worker misses what another one got: only the union, whose lost() it is, has the gaps.
  merged->generation = flow.generation;
  return complete;
}

ReceiverTotals ReadReceiver(const Segment& segment, const std::vector<RxFlow>& flows) {
  ReceiverTotals totals;
  uint32_t active = 0;
  for (const RxFlow& flow : flows) {
    shm::RxCounters rx;
    totals.stale |= !MergeWorkers(segment, flow.slot, &rx, &totals.workers);
    totals.received += rx.packets;
    totals.gaps += rx.lost();
    totals.reordered += rx.reordered;
    totals.duplicated += rx.duplicated;
    totals.late += rx.late;
    totals.ip_bytes += rx.bytes;
    totals.frame_bytes += rx.frame_bytes;
    totals.loss_events += rx.loss_events;
    TakeEarlier(rx.first_ns, &totals.first_ns);
    totals.last_ns = std::max(totals.last_ns, rx.last_ns);
    totals.highest.push_back(rx.highest_sequence);
    if (rx.packets == 0) continue;
    ++active;
    totals.jitter_ns += static_cast<double>(rx.jitter_x16_ns) / 16.0;
    if (rx.last_ns <= rx.first_ns || rx.bytes < rx.last_packet_bytes) continue;
    const double seconds = static_cast<double>(rx.last_ns - rx.first_ns) / 1e9;
    totals.achieved_ip_bps += static_cast<double>(rx.bytes - rx.last_packet_bytes) * 8 / seconds;
    // The header around each packet is the same, so the last frame is its IP bytes and that.
    const double frame_overhead =
        static_cast<double>(rx.frame_bytes - rx.bytes) / static_cast<double>(rx.packets);
    totals.achieved_ethernet_bps +=
        (static_cast<double>(rx.frame_bytes - rx.last_packet_bytes) - frame_overhead) * 8 / seconds;
  }
  if (active > 0) totals.jitter_ns /= active;
  return totals;
}

uint64_t LostPackets(const ReceiverTotals& totals, const std::vector<uint64_t>& final_sequence) {
  uint64_t lost = totals.gaps;
  for (size_t i = 0; i < totals.highest.size() && i < final_sequence.size(); ++i) {
    if (final_sequence[i] > totals.highest[i]) lost += final_sequence[i] - totals.highest[i];
  }
  return lost;
}

bool EverythingArrived(const ReceiverTotals& totals, const std::vector<uint64_t>& final_sequence) {
  if (totals.stale || totals.gaps != 0 || final_sequence.size() != totals.highest.size()) {
    return false;
  }
  return std::equal(final_sequence.begin(), final_sequence.end(), totals.highest.begin());
}

}  // namespace weir::control
