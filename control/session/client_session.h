// The client role: one test against a remote server, from the request to the merged result.
#ifndef WEIR_CONTROL_SESSION_CLIENT_SESSION_H_
#define WEIR_CONTROL_SESSION_CLIENT_SESSION_H_

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "control/admission/admission.h"
#include "control/session/conclusion.h"
#include "control/session/direction_run.h"
#include "control/session/flow_ends.h"
#include "control/session/local_test.h"
#include "control/session/measurement_loop.h"
#include "control/session/node.h"
#include "control/session/remote.h"
#include "control/session/session.h"
#include "measurement/v1/admin.pb.h"

namespace weir::control {

class ClientSession final : public LocalTest {
 public:
  ClientSession(const Node& node, measurement::v1::RunTestRequest request, Sink sink);
  ~ClientSession() override;

  void Run(bool draining) override;
  // Tells the server why as well.
  void Cancel(const std::string& reason) override;

 private:
  // Each returns false after it has given the last update.
  bool Connect();
  bool Admit(bool draining);
  bool Reserve();
  bool Negotiate();
  bool AcceptGrant(const measurement::v1::Grant& grant);
  bool Program();
  void Measure();
  std::string PeerAddress() const;  // Of the server's, one of the family asked for; or empty.
  void TakeServerResults(const measurement::v1::Completed& completed,
                         std::vector<record::v1::DirectionResult>* results) const;
  std::vector<std::vector<dataplane::v1::FlowInfo>> Flows() const;  // By direction.

  bool Fail(measurement::v1::TestFailure::Kind kind, const std::string& field,
            const std::string& message);
  bool FailRemote(const absl::Status& status);
  void SendProgress(const std::string& state);
  std::vector<record::v1::DirectionResult> Results(const std::string& end_reason,
                                                   bool clocks_synchronised);

  const Node node_;
  measurement::v1::RunTestRequest request_;
  const Sink sink_;

  mutable std::mutex mutex_;  // Guards the next three, which Cancel uses.
  std::shared_ptr<Remote> remote_;
  std::shared_ptr<Session> session_;
  std::optional<std::string> cancelled_;

  measurement::v1::ServerInfo server_;
  std::shared_ptr<const PortTable> ports_;
  const dataplane::v1::PortInfo* port_ = nullptr;  // In ports_.
  std::vector<measurement::v1::DirectionRequest> asked_;
  Reservation reservation_;
  std::shared_ptr<const Policy> policy_;
  std::vector<EndSlots> slots_;  // By direction asked.
  measurement::v1::Grant grant_;
  SessionFacts facts_;
  std::vector<std::unique_ptr<DirectionRun>> directions_;
  uint64_t running_since_ns_ = 0;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_CLIENT_SESSION_H_
