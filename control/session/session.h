// One session as the rest of the process sees it.
#ifndef WEIR_CONTROL_SESSION_SESSION_H_
#define WEIR_CONTROL_SESSION_SESSION_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "control/session/mailbox.h"
#include "control/session/peer_link.h"
#include "control/session/uuid.h"
#include "dataplane/v1/dataplane.pb.h"
#include "measurement/v1/admin.pb.h"
#include "measurement/v1/measurement.pb.h"
#include "record/v1/record.pb.h"

namespace weir::control {

enum class SessionRole { kServer, kClient };

enum class SessionState {
  kRequested,
  kAdmitted,
  kProven,
  kRunning,
  kFinishing,
  kExported,
  kAborted,
  kWithheld,  // Ended, and the export policy lets no record be kept.
};
std::string StateName(SessionState state);
inline bool IsFinal(SessionState state) { return state >= SessionState::kExported; }

// What a session's thread is told.
struct FlowChanged {
  dataplane::v1::FlowInfo flow;
};
struct DataplaneLost {};
struct PeerAttached {  // Server: Run was called.
  std::shared_ptr<PeerLink> link;
};
struct PeerSaid {
  PeerMessage message;
};
struct PeerGone {};  // The stream ended.
struct StopAsked {
  std::string reason;
};
using SessionEvent =
    std::variant<FlowChanged, DataplaneLost, PeerAttached, PeerSaid, PeerGone, StopAsked>;

// Thread-safe. The session's own thread writes the state, others read it and post events.
class Session {
 public:
  Session(Uuid id, SessionRole role, uint64_t started_unix_ns)
      : id_(id), role_(role), started_unix_ns_(started_unix_ns) {}

  const Uuid& id() const { return id_; }
  SessionRole role() const { return role_; }
  Mailbox<SessionEvent>& mailbox() { return mailbox_; }

  // Posts PeerAttached. A server's session takes one Run, and none once it has ended; after
  // SetEnd nothing is posted any more. False: refused.
  bool Attach(std::shared_ptr<PeerLink> link);

  void SetTerms(std::vector<measurement::v1::DirectionRequest> directions, std::string peer,
                std::string admission_rule);
  void SetState(SessionState state);
  SessionState state() const;
  // The end: state is a final one.
  void SetEnd(SessionState state, const measurement::v1::Completed& completed);

  measurement::v1::SessionInfo Info() const;
  measurement::v1::GetResultReply Result() const;

 private:
  const Uuid id_;
  const SessionRole role_;
  const uint64_t started_unix_ns_;
  Mailbox<SessionEvent> mailbox_;

  mutable std::mutex mutex_;  // Guards all below.
  SessionState state_ = SessionState::kRequested;
  bool run_claimed_ = false;
  std::vector<measurement::v1::DirectionRequest> directions_;
  std::string peer_;  // In the address mode the policy says.
  std::string admission_rule_;
  measurement::v1::Completed completed_;
};

// "2026-11-24T06:38:14.123Z".
std::string FormatTime(uint64_t unix_ns);

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_SESSION_H_
