#include "dataplane/rx/rx_flow.h"

namespace weir::dataplane {

FlowKey ReceiveKey(const FlowSpec& spec) {
  FlowKey key;
  const auto remote = spec.remote.ip.bytes();
  const auto local = spec.local.ip.bytes();
  const wire::Be16 ports[2] = {spec.remote.port, spec.local.port};
  uint8_t* at = key.bytes.data();
  std::memcpy(at, remote.data(), remote.size());
  at += remote.size();
  std::memcpy(at, local.data(), local.size());
  std::memcpy(at + local.size(), ports, sizeof(ports));
  return key;
}

void RxFlow::ReceiveOutOfOrder(const ArrivalRun& run, uint64_t now_ns) {
  uint32_t send_time[kRxBurst];
  uint32_t ip_bytes[kRxBurst];
  uint32_t frame_bytes[kRxBurst];
  uint32_t count = 0;
  for (uint32_t i = 0; i < run.count; ++i) {
    send_time[count] = run.send_time[i];
    ip_bytes[count] = run.ip_bytes[i];
    frame_bytes[count] = run.frame_bytes[i];
    using Verdict = SequenceTracker::Verdict;
    const Verdict verdict = tracker_.Track(tracker_.Extend(run.sequence[i]), holes_);
    count += verdict == Verdict::kInOrder || verdict == Verdict::kReordered;
  }
  if (count != 0) Measure({nullptr, send_time, ip_bytes, frame_bytes, count}, now_ns);
}

void RxFlow::PublishTo(shm::RxCell& cell) {
  if (!dirty_) return;
  shm::RxCounters counters{};
  counters.generation = generation_;
  counters.packets = tracker_.packets();
  counters.bytes = bytes_;
  counters.frame_bytes = frame_bytes_;
  counters.highest_sequence = tracker_.next();
  counters.lost = tracker_.lost();
  counters.reordered = tracker_.reordered();
  counters.duplicated = tracker_.duplicated();
  counters.late = tracker_.late();
  counters.loss_events = tracker_.loss_events();
  counters.first_ns = first_ns_;
  counters.last_ns = last_ns_;
  counters.jitter_x16_ns = delay_.jitter_x16();
  counters.last_packet_bytes = last_bytes_;
  counters.delay_base_ns = delay_.base();
  counters.delay_min_ns = delay_.min();
  counters.delay_max_ns = delay_.max();
  counters.delay_sum_ns = delay_.sum();
  counters.delay_count = tracker_.packets();
  cell.cell.Store(counters);
  dirty_ = false;
}

}  // namespace weir::dataplane
