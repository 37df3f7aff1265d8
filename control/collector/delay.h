// One-way delay of a direction, from the histograms of its streams (RFC 7679, RFC 5481).
#ifndef WEIR_CONTROL_COLLECTOR_DELAY_H_
#define WEIR_CONTROL_COLLECTOR_DELAY_H_

#include <cstdint>
#include <vector>

#include "control/collector/flow_counters.h"
#include "control/dataplane/segment.h"
#include "record/v1/record.pb.h"

namespace weir::control {

// Counts of delays above a base, in the buckets of shm::LogHistogram.
class DelayCounts {
 public:
  DelayCounts();

  // Adds what `histogram` holds; its values lie `shift_ns` above this one's base.
  void Add(const shm::LogHistogram& histogram, uint64_t shift_ns);

  uint64_t total() const { return total_; }
  // The value below which the share `quantile` (0..1) of the samples lies, interpolated within
  // its bucket.
  double Quantile(double quantile) const;

 private:
  std::vector<uint64_t> counts_;
  uint64_t total_ = 0;
};

// `synchronised`: both ends' clocks are, so values are absolute and base_ns is 0. Otherwise
// values are relative to base_ns, the smallest base of the flows.
record::v1::Delay MeasureDelay(const Segment& segment, const std::vector<RxFlow>& flows,
                               bool synchronised);

}  // namespace weir::control

#endif  // WEIR_CONTROL_COLLECTOR_DELAY_H_
