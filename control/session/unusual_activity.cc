#include "control/session/unusual_activity.h"

#include <algorithm>

#include "wire/signal_packet.h"

namespace weir::control {
namespace {

using measurement::v1::Notice;

constexpr double kNsPerSecond = 1e9;
constexpr uint64_t kSlackNs = 2'000'000'000;
constexpr double kRateSlack = 1.02;
constexpr double kCatchUpSeconds = 0.25;
constexpr double kEthernetBytes = 14;
// Counters of port and flows are of two moments, 100 ms apart at the most.
constexpr double kSkewSeconds = 0.25;
constexpr double kStrayPackets = 1'000;

Unusual Of(const SendingFlow& flow, Notice::Trigger trigger) {
  const shm::TxCounters& tx = flow.tx;
  Unusual unusual{.trigger = trigger,
                  .from_ns = tx.first_ns,
                  .to_ns = tx.last_ns,
                  .admitted_bps = static_cast<double>(flow.admitted_bps)};
  const double seconds =
      std::max(1.0, static_cast<double>(tx.last_ns - tx.first_ns)) / kNsPerSecond;
  unusual.observed_bps = 8 * static_cast<double>(tx.bytes) / seconds;
  unusual.observed_pps = static_cast<double>(tx.packets) / seconds;
  return unusual;
}

bool OverBudget(const SendingFlow& flow) {
  if (flow.admitted_bps == 0 || flow.tx.last_ns < flow.tx.first_ns) return false;
  const double seconds = static_cast<double>(flow.tx.last_ns - flow.tx.first_ns) / kNsPerSecond;
  const double allowed =
      static_cast<double>(flow.admitted_bps) * kRateSlack * (seconds + kCatchUpSeconds) +
      static_cast<double>(flow.burst_bits);
  return 8 * static_cast<double>(flow.tx.bytes) > allowed;
}

bool PeerWasSilent(const SendingFlow& flow) {
  const uint64_t feedback_ns = flow.status.feedback_ns;
  if (feedback_ns == 0 && flow.status.armed_ns == 0) return false;  // Not told yet.
  const uint64_t lease_ns = feedback_ns != 0 ? feedback_ns + wire::kPeerLeaseNs
                                             : flow.status.armed_ns + wire::kFirstFeedbackNs;
  return flow.tx.last_ns > lease_ns + kSlackNs;
}

}  // namespace

std::optional<Unusual> JudgeFlow(const SendingFlow& flow) {
  if (flow.tx.packets == 0) return std::nullopt;
  if (!flow.bench && !flow.proven) return Of(flow, Notice::LOAD_TO_UNPROVEN);
  if (OverBudget(flow)) return Of(flow, Notice::EGRESS_OVER_BUDGET);
  if (!flow.bench && PeerWasSilent(flow)) return Of(flow, Notice::SENDING_TO_SILENT_PEER);
  return std::nullopt;
}

std::optional<Unusual> StrayEgress::Observe(uint64_t port_packets, uint64_t port_bytes,
                                            uint64_t flow_packets, uint64_t now_unix_ns,
                                            int64_t steady_ns) {
  const auto ahead = static_cast<double>(static_cast<int64_t>(port_packets - flow_packets));
  const double seconds = static_cast<double>(steady_ns - steady_ns_) / kNsPerSecond;
  const bool anew = !begun_ || port_packets < port_packets_ || flow_packets < flow_packets_;
  std::optional<Unusual> unusual;
  if (!anew && seconds > 0) {
    const double flows_pps = static_cast<double>(flow_packets - flow_packets_) / seconds;
    const double stray = ahead - most_ahead_ - kSlowPathPps * seconds;
    if (stray > kStrayPackets + kSkewSeconds * flows_pps) {
      const double ip_bytes = static_cast<double>(port_bytes - port_bytes_) /
                                  static_cast<double>(port_packets - port_packets_) -
                              kEthernetBytes;
      unusual = Unusual{.trigger = Notice::EGRESS_WITHOUT_SESSION,
                        .from_ns = unix_ns_,
                        .to_ns = now_unix_ns,
                        .observed_bps = 8 * stray * std::max(0.0, ip_bytes) / seconds,
                        .observed_pps = stray / seconds};
    }
  }
  most_ahead_ = anew ? ahead : std::max(most_ahead_, ahead);
  begun_ = true;
  port_packets_ = port_packets;
  port_bytes_ = port_bytes;
  flow_packets_ = flow_packets;
  unix_ns_ = now_unix_ns;
  steady_ns_ = steady_ns;
  return unusual;
}

}  // namespace weir::control
