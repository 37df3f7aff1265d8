// Brings the counters of many received flows to where the controller reads them.
#ifndef WEIR_DATAPLANE_RX_RX_PUBLISH_H_
#define WEIR_DATAPLANE_RX_RX_PUBLISH_H_

#include <cstdint>
#include <span>

#include "dataplane/flow/flow_slots.h"
#include "shm/segment.h"

namespace weir::dataplane {

// A histogram is far from everything else, so with many flows it is brought up to date only each
// eighth time that a flow's counters are.
inline constexpr uint32_t kHistogramTurns = 8;
inline constexpr uint32_t kEachHistogram = UINT32_MAX;

// Of worker number `worker`, who calls it, the flows in these slots. `turn`: with the
// histograms of those flows whose turn it is, 0 to kHistogramTurns - 1, or kEachHistogram. Flows
// that are closing are final then, with their histogram.
void PublishFlows(std::span<const uint32_t> slots, FlowSlots& flows, shm::SegmentWriter segment,
                  uint32_t worker, uint32_t turn);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_RX_PUBLISH_H_
