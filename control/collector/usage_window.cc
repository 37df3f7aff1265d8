#include "control/collector/usage_window.h"

#include <algorithm>
#include <utility>

namespace weir::control {

UsageWindow::UsageWindow(std::shared_ptr<const Segment> segment, uint32_t port_index)
    : segment_(std::move(segment)), port_index_(port_index), port_(segment_->Port(port_index)) {
  for (uint32_t worker = 0; worker < segment_->header().workers; ++worker) {
    workers_.push_back(segment_->Worker(worker));
  }
}

double UsageWindow::Busy(const std::set<uint32_t>& workers) const {
  double busiest = 0;
  for (const uint32_t worker : workers) {
    const auto now = segment_->Worker(worker);
    if (worker >= workers_.size() || !workers_[worker].has_value() || !now.has_value()) continue;
    const uint64_t busy = now->busy_cycles - workers_[worker]->busy_cycles;
    const uint64_t all = busy + now->idle_cycles - workers_[worker]->idle_cycles;
    if (all == 0) continue;
    busiest = std::max(busiest, static_cast<double>(busy) / static_cast<double>(all));
  }
  return std::min(busiest, 1.0);
}

uint64_t UsageWindow::StarvedNs(const std::set<uint32_t>& workers) const {
  uint64_t most = 0;
  for (const uint32_t worker : workers) {
    const auto now = segment_->Worker(worker);
    if (worker >= workers_.size() || !workers_[worker].has_value() || !now.has_value()) continue;
    most = std::max(most, now->rx_cpu_starved_ns - workers_[worker]->rx_cpu_starved_ns);
  }
  return most;
}

uint64_t UsageWindow::PortMissed() const {
  const auto now = segment_->Port(port_index_);
  if (!port_.has_value() || !now.has_value() || now->rx_missed < port_->rx_missed) return 0;
  return now->rx_missed - port_->rx_missed;
}

}  // namespace weir::control
