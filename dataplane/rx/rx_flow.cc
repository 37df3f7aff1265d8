#include "dataplane/rx/rx_flow.h"

namespace weir::dataplane {

void RxFlow::PublishTo(shm::RxCell& cell, bool with_histogram) {
  if (with_histogram) delays_.Flush();
  if (!dirty_) return;
  const uint64_t packets = tracker_.packets(disorder_);
  shm::RxCounters counters{};
  counters.generation = generation_;
  counters.packets = packets;
  counters.bytes = bytes_;
  counters.frame_bytes = bytes_ + packets * header_.ethernet_bytes() + padding_;
  counters.highest_sequence = tracker_.next();
  counters.reordered = disorder_.reordered;
  counters.duplicated = disorder_.duplicated;
  counters.late = disorder_.late;
  counters.loss_events = disorder_.loss_events;
  counters.first_ns = first_ns_;
  counters.last_ns = last_ns_;
  counters.jitter_x16_ns = delay_.jitter_x16();
  counters.last_packet_bytes = last_bytes_;
  counters.delay_base_ns = delays_.base();
  counters.delay_min_ns = delays_.min();
  counters.delay_max_ns = delays_.max();
  counters.delay_sum_ns = delay_.sum();
  cell.cell.Store(counters);
  dirty_ = false;
}

}  // namespace weir::dataplane
