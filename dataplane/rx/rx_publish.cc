#include "dataplane/rx/rx_publish.h"

#include <rte_prefetch.h>

namespace weir::dataplane {

void PublishFlows(std::span<RxFlow* const> flows, shm::SegmentWriter segment, uint32_t worker,
                  uint32_t turn) {
  const auto with_histogram = [turn](uint32_t slot) {
    return turn == kEachHistogram || slot % kHistogramTurns == turn;
  };
  // A flow that was not touched lately is far away: it is fetched some flows ahead, and what it
  // leads to when it is there.
  constexpr size_t kAhead = 8;
  constexpr size_t kNear = 4;
  for (size_t i = 0; i < flows.size() + kAhead; ++i) {
    if (i < flows.size()) flows[i]->PrefetchToPublish();
    if (i >= kNear && i - kNear < flows.size()) {
      const RxFlow* const flow = flows[i - kNear];
      if (with_histogram(flow->slot())) flow->PrefetchHistogram();
      const auto* cell = reinterpret_cast<const uint8_t*>(&segment.rx(worker, flow->slot()));
      for (size_t at = 0; at < sizeof(shm::RxCell); at += shm::kCacheLine) {
        rte_prefetch0_write(cell + at);
      }
    }
    if (i < kAhead) continue;
    RxFlow* const flow = flows[i - kAhead];
    const bool last = flow->stop.load(std::memory_order_acquire);
    flow->PublishTo(segment.rx(worker, flow->slot()), last || with_histogram(flow->slot()));
    if (last) flow->final_published.store(true, std::memory_order_release);
  }
}

}  // namespace weir::dataplane
