#ifndef WEIR_CONTROL_API_GRPC_STATUS_H_
#define WEIR_CONTROL_API_GRPC_STATUS_H_

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include <string>

namespace weir::control {

// Both take their codes from the same list.
inline grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

// Answers a call with what became of it.
inline grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context,
                                        const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_GRPC_STATUS_H_
