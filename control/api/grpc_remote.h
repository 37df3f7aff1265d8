// Remote servers over gRPC.
#ifndef WEIR_CONTROL_API_GRPC_REMOTE_H_
#define WEIR_CONTROL_API_GRPC_REMOTE_H_

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "config/v1/config.pb.h"
#include "control/session/remote.h"

namespace weir::control {

// Each test has a connection of its own: TLS with the server's certificate verified against
// `remote.ca_file`, else `client.ca`, else the system's roots; with `client`'s certificate if it
// has one. Plaintext only to loopback.
ConnectRemote MakeConnectRemote(const config::v1::Client& client);

// "host:port", "[v6]:port", either without a port (4040). InvalidArgument names the address.
struct RemoteAddress {
  std::string host;    // Without brackets.
  std::string target;  // As gRPC takes it.
};
absl::StatusOr<RemoteAddress> ParseRemoteAddress(const std::string& text);

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_GRPC_REMOTE_H_
