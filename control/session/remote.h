// A remote server as the client role needs it, free of gRPC.
#ifndef WEIR_CONTROL_SESSION_REMOTE_H_
#define WEIR_CONTROL_SESSION_REMOTE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>

#include "control/session/peer_link.h"
#include "control/session/session.h"
#include "measurement/v1/admin.pb.h"
#include "measurement/v1/measurement.pb.h"

namespace weir::control {

// Thread-safe. The calls block until answered, failed or cancelled. Unavailable: the server
// cannot be reached, or its certificate is not trusted; Unimplemented: what answers is no Weir
// server; Cancelled: Cancel was called.
class Remote {
 public:
  virtual ~Remote() = default;

  virtual absl::StatusOr<measurement::v1::ServerInfo> GetServerInfo() = 0;
  virtual absl::StatusOr<measurement::v1::NegotiateReply> Negotiate(
      const measurement::v1::NegotiateRequest& request) = 0;
  // PermissionDenied, InvalidArgument: the server's own answer, also of a report.
  virtual absl::StatusOr<measurement::v1::LookupReply> Lookup(
      const measurement::v1::LookupRequest& request) = 0;
  virtual absl::StatusOr<measurement::v1::PublicReport> GetReport(
      const measurement::v1::PublicReportRequest& request) = 0;

  // Opens the Run stream; what comes is posted to the session's mailbox, PeerGone last.
  virtual std::shared_ptr<PeerLink> Run(std::shared_ptr<Session> session) = 0;

  // Ends a call that is under way and fails all later ones. An open stream goes on.
  virtual void Cancel() = 0;
};

// InvalidArgument: the address, or plaintext to an address that is not loopback.
using ConnectRemote =
    std::function<absl::StatusOr<std::unique_ptr<Remote>>(const measurement::v1::RemoteServer&)>;

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_REMOTE_H_
