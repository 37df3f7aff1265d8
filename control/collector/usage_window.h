// What workers and a port did between two moments: the evidence for what limited a test.
#ifndef WEIR_CONTROL_COLLECTOR_USAGE_WINDOW_H_
#define WEIR_CONTROL_COLLECTOR_USAGE_WINDOW_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "control/dataplane/segment.h"

namespace weir::control {

// Begins when constructed. Not thread-safe.
class UsageWindow {
 public:
  UsageWindow(std::shared_ptr<const Segment> segment, uint32_t port_index);

  // Since the beginning; 0 for what was stale at either end.
  double Busy(const std::set<uint32_t>& workers) const;         // Of the busiest, 0..1.
  uint64_t StarvedNs(const std::set<uint32_t>& workers) const;  // Of the most starved.
  uint64_t PortMissed() const;

 private:
  std::shared_ptr<const Segment> segment_;
  uint32_t port_index_;
  std::vector<std::optional<shm::WorkerCounters>> workers_;
  std::optional<shm::PortCounters> port_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_COLLECTOR_USAGE_WINDOW_H_
