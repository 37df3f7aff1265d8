#include "control/session/end_reason.h"

#include <algorithm>

namespace weir::control {

namespace dp = dataplane::v1;

std::string EndReasonName(dp::EndReason reason) {
  switch (reason) {
    case dp::END_DURATION:
      return "duration";
    case dp::END_BYTES:
      return "bytes";
    case dp::END_PACKETS:
      return "packets";
    case dp::END_STOPPED:
      return "stopped";
    case dp::END_CONTROL_LEASE:
      return end_reason::kControlLease;
    case dp::END_FEEDBACK_LOST:
      return "feedback_lost";
    case dp::END_PROOF_TIMEOUT:
      return "proof_timeout";
    case dp::END_NEIGHBOUR_CHANGED:
      return "neighbour_changed";
    case dp::END_NEIGHBOUR_UNREACHABLE:
      return "neighbour_unreachable";
    case dp::END_PORT_DOWN:
      return "port_down";
    case dp::END_SETUP_TIMEOUT:
      return "setup_timeout";
    default:
      return "unknown";
  }
}

bool IsNormalEnd(dp::EndReason reason) {
  return reason == dp::END_DURATION || reason == dp::END_BYTES || reason == dp::END_PACKETS;
}

bool IsNormalEndName(const std::string& name) {
  return name == "duration" || name == "bytes" || name == "packets" ||
         name == end_reason::kSenderDone;
}

std::string PeerReason(const std::string& name, const std::string& otherwise) {
  constexpr size_t kLongest = 40;
  const bool word = !name.empty() && name.size() <= kLongest &&
                    std::all_of(name.begin(), name.end(),
                                [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  return word ? name : otherwise;
}

bool IsPeerFault(const std::string& name) {
  return name == end_reason::kPeerLost || name == end_reason::kPeerSilent ||
         name == end_reason::kPeerStopped || name == end_reason::kPeerProtocol ||
         name == end_reason::kCancelled || name == "feedback_lost";
}

}  // namespace weir::control
