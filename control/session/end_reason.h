// Names of the reasons a session ends for. They are stored and shown: lower case, a word or two.
#ifndef WEIR_CONTROL_SESSION_END_REASON_H_
#define WEIR_CONTROL_SESSION_END_REASON_H_

#include <string>

#include "dataplane/v1/dataplane.pb.h"

namespace weir::control {

namespace end_reason {
inline constexpr char kNeverStarted[] = "never_started";
inline constexpr char kProgramFailed[] = "program_failed";
inline constexpr char kArmFailed[] = "arm_failed";
inline constexpr char kPeerLost[] = "peer_lost";          // The stream broke.
inline constexpr char kPeerSilent[] = "peer_silent";      // No report for a while.
inline constexpr char kPeerStopped[] = "peer_stopped";    // It said so, without a good reason.
inline constexpr char kPeerProtocol[] = "peer_protocol";  // It broke the order of README 2.3.
inline constexpr char kCancelled[] = "cancelled";
inline constexpr char kShutdown[] = "shutdown";
inline constexpr char kOverrun[] = "overrun";  // Longer than granted.
inline constexpr char kDataplaneLost[] = "dataplane_lost";
inline constexpr char kControlLease[] = "control_lease";
inline constexpr char kControlRestarted[] = "control_restarted";
inline constexpr char kLinkDown[] = "link_down";    // The port lost its link during a bench run.
inline constexpr char kNoPackets[] = "no_packets";  // None came to a bench's sink.
inline constexpr char kUnusualActivity[] = "unusual_activity";  // A notice says which.
inline constexpr char kSenderDone[] =
    "sender_done";  // A bench's sender said it was the last packet.
}  // namespace end_reason

// "duration" for END_DURATION and so on.
std::string EndReasonName(dataplane::v1::EndReason reason);

// The flow did what it was granted to do.
bool IsNormalEnd(dataplane::v1::EndReason reason);
bool IsNormalEndName(const std::string& name);

// The name as given if it is one word of lower case letters and underscores, at most 40;
// otherwise `otherwise`: text from a peer is not stored as it comes.
std::string PeerReason(const std::string& name, const std::string& otherwise);

// The end the peer, not this node or the path between, brought about.
bool IsPeerFault(const std::string& name);

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_END_REASON_H_
