// One unary call to the local weir-control and its rendering.
#ifndef WEIR_CONTROL_CLI_QUERY_H_
#define WEIR_CONTROL_CLI_QUERY_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <ostream>
#include <string>
#include <variant>

#include "control/cli/admin_client.h"
#include "control/cli/command.h"
#include "control/cli/json.h"

namespace weir::cli {

inline constexpr int kQueryDeadlineSeconds = 30;

// `what` begins the sentence of a failure; `render` makes of the reply what is printed.
template <typename Request, typename Reply, typename Render>
ExitCode Query(const Context& context, const std::string& what,
               grpc::Status (AdminStub::*method)(grpc::ClientContext*, const Request&, Reply*),
               const Request& request, Render render) {
  auto admin = ConnectAdmin(context.admin);
  if (const auto* failure = std::get_if<Failure>(&admin)) return Report(context, *failure);
  grpc::ClientContext call;
  SetDeadline(&call, kQueryDeadlineSeconds);
  context.interrupt.OnRequest([&call] { call.TryCancel(); });
  Reply reply;
  const grpc::Status status =
      (std::get<std::unique_ptr<AdminStub>>(admin).get()->*method)(&call, request, &reply);
  context.interrupt.Clear();
  if (context.interrupt.requested()) return Report(context, {ExitCode::kAborted, "interrupted"});
  if (!status.ok()) return Report(context, ExplainStatus(status, what));
  context.out << render(reply) << std::flush;
  return ExitCode::kOk;
}

template <typename Reply>
std::string JsonLine(const Reply& reply) {
  return ToJson(reply) + "\n";
}

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_QUERY_H_
