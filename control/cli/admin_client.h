// The connection to a weir-control's admin socket.
#ifndef WEIR_CONTROL_CLI_ADMIN_CLIENT_H_
#define WEIR_CONTROL_CLI_ADMIN_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <variant>

#include "control/cli/exit_code.h"
#include "measurement/v1/admin.grpc.pb.h"

namespace weir::cli {

inline constexpr char kDefaultAdminSocket[] = "/run/weir/admin.sock";

using AdminStub = measurement::v1::Admin::StubInterface;

// Fails at once, with what to do, when nobody listens on the socket.
std::variant<std::unique_ptr<AdminStub>, Failure> ConnectAdmin(const std::string& socket);

// What a failed call means for the person and the exit code. `what` begins the sentence:
// "cannot list records".
Failure ExplainStatus(const grpc::Status& status, const std::string& what);

// Sets a deadline, so that a hung daemon is an error and not a hang.
void SetDeadline(grpc::ClientContext* context, int seconds);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_ADMIN_CLIENT_H_
