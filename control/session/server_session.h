// The server role: from a request to the record.
#ifndef WEIR_CONTROL_SESSION_SERVER_SESSION_H_
#define WEIR_CONTROL_SESSION_SERVER_SESSION_H_

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "control/admission/admission.h"
#include "control/session/conclusion.h"
#include "control/session/direction_run.h"
#include "control/session/flow_ends.h"
#include "control/session/node.h"
#include "control/session/session.h"
#include "measurement/v1/measurement.pb.h"

namespace weir::control {

// Who calls, as the transport established it.
struct Caller {
  std::string identity = "anonymous";  // Or "certificate:<CN>".
};

// A granted session with its flows programmed. Negotiated on one thread, run on another.
class ServerSession {
 public:
  using Outcome = std::variant<std::unique_ptr<ServerSession>, measurement::v1::Rejection>;

  // Judges, reserves, commits the session row, programs this node's ends (README 2.2). Blocks
  // for the store and the dataplane. After a rejection nothing is left behind.
  static Outcome Negotiate(const Node& node, const measurement::v1::NegotiateRequest& request,
                           const Caller& caller, bool draining);

  const std::shared_ptr<Session>& session() const { return session_; }
  const measurement::v1::Grant& grant() const { return grant_; }

  // Waits for the peer's Run, runs, stores, closes. Events go to session()'s mailbox.
  void Run();

 private:
  explicit ServerSession(const Node& node) : node_(node) {}

  absl::Status Program(const EndsByDirection& client_ends,
                       std::vector<std::pair<measurement::v1::DirectionRequest, EndSlots>> ends,
                       const std::shared_ptr<const Connection>& connection,
                       const SessionTerms& terms);
  std::vector<record::v1::DirectionResult> Results(const std::string& end_reason,
                                                   bool clocks_synchronised);
  std::vector<std::vector<dataplane::v1::FlowInfo>> Flows() const;  // By direction.

  const Node node_;
  std::shared_ptr<Session> session_;
  SessionFacts facts_;
  measurement::v1::Grant grant_;
  Reservation reservation_;
  std::vector<std::unique_ptr<DirectionRun>> directions_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_SERVER_SESSION_H_
