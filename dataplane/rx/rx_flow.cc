#include "dataplane/rx/rx_flow.h"

#include "dataplane/rx/chunk_pool.h"

namespace weir::dataplane {

#ifndef __SANITIZE_ADDRESS__  // Which then sees each flow's life.
namespace {

ChunkPool<sizeof(RxFlow)>& Memory() {
  static auto* const pool = new ChunkPool<sizeof(RxFlow)>;
  return *pool;
}

}  // namespace

void* RxFlow::operator new(size_t) { return Memory().Allocate(); }
void RxFlow::operator delete(void* memory) { Memory().Free(memory); }
#endif

void RxFlow::PublishTo(shm::RxCell& cell) {
  if (!dirty_) return;
  shm::RxCounters counters{};
  counters.generation = generation_;
  counters.packets = tracker_.packets();
  counters.bytes = bytes_;
  counters.frame_bytes = frame_bytes_;
  counters.highest_sequence = tracker_.next();
  counters.lost = tracker_.lost();
  counters.reordered = disorder_->reordered;
  counters.duplicated = disorder_->duplicated;
  counters.late = disorder_->late;
  counters.loss_events = disorder_->loss_events;
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
