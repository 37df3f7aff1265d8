#include "dataplane/rx/rx_publish.h"

#include <rte_prefetch.h>

namespace weir::dataplane {

void PublishFlows(std::span<const uint32_t> slots, FlowSlots& flows, shm::SegmentWriter segment,
                  uint32_t worker, uint32_t turn) {
  const auto with_histogram = [turn](uint32_t slot) {
    return turn == kEachHistogram || slot % kHistogramTurns == turn;
  };
  // A flow that was not touched lately is far away: it is fetched some flows ahead, and what it
  // leads to when it is there.
  constexpr size_t kAhead = 8;
  constexpr size_t kNear = 4;
  bool last;
  for (size_t i = 0; i < slots.size() + kAhead; ++i) {
    if (i < slots.size()) flows.PrefetchToPublish(slots[i]);
    if (i >= kNear && i - kNear < slots.size()) {
      const uint32_t slot = slots[i - kNear];
      const RxFlow* const flow = flows.FindToPublish(slot, &last);
      if (flow != nullptr && with_histogram(slot)) flow->PrefetchHistogram();
      const auto* cell = reinterpret_cast<const uint8_t*>(&segment.rx(worker, slot));
      for (size_t at = 0; at < sizeof(shm::RxCell); at += shm::kCacheLine) {
        rte_prefetch0_write(cell + at);
      }
    }
    if (i < kAhead) continue;
    const uint32_t slot = slots[i - kAhead];
    RxFlow* const flow = flows.FindToPublish(slot, &last);
    if (flow == nullptr) continue;
    flow->PublishTo(segment.rx(worker, slot), last || with_histogram(slot));
    if (last) flows.SetFinal(slot);
  }
}

}  // namespace weir::dataplane
