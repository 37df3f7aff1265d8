// Which RX queue a flow's packets come in on, where the device lets us say so.
#ifndef WEIR_DATAPLANE_PORT_STEERING_H_
#define WEIR_DATAPLANE_PORT_STEERING_H_

#include <rte_flow.h>

#include <cstdint>
#include <string>
#include <utility>

#include "dataplane/flow/flow_spec.h"

namespace weir::dataplane {

// A rule in the device (rte_flow) that sends one 5-tuple to one RX queue; gone with this object.
// Main lcore only. Without a rule a flow's packets come in where RSS, or the device, puts them, and
// are counted there just as well.
class SteeringRule {
 public:
  SteeringRule() = default;
  SteeringRule(SteeringRule&& other) noexcept
      : ethdev_(other.ethdev_), rule_(std::exchange(other.rule_, nullptr)) {}
  SteeringRule& operator=(SteeringRule&& other) noexcept {
    std::swap(ethdev_, other.ethdev_);
    std::swap(rule_, other.rule_);
    return *this;
  }
  ~SteeringRule();

  // Of the packets that come from `spec.remote` to `spec.local` on a port with this VLAN (0: none).
  // If the device does not take such a rule the object is empty and `reason` says why.
  static SteeringRule Create(uint16_t ethdev, const FlowSpec& spec, uint16_t vlan, uint16_t queue,
                             std::string* reason);

  explicit operator bool() const { return rule_ != nullptr; }

 private:
  uint16_t ethdev_ = 0;
  rte_flow* rule_ = nullptr;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_PORT_STEERING_H_
