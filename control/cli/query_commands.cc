#include "control/cli/query_commands.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/cli/programs.h"
#include "control/cli/query.h"
#include "control/cli/remote_server.h"
#include "control/cli/render_list.h"
#include "control/cli/render_server.h"

namespace weir::cli {
namespace {

ExitCode BecomeControl(const Context& context, std::vector<std::string> arguments) {
  const auto program = FindProgram("weir-control");
  if (!program) {
    return Report(context, {ExitCode::kInternal,
                            "this needs weir-control, which is neither beside this program nor in "
                            "PATH"});
  }
  arguments.insert(arguments.begin(), *program);
  if (context.json) arguments.emplace_back("--json");
  std::vector<char*> raw;
  for (std::string& argument : arguments) raw.push_back(argument.data());
  raw.push_back(nullptr);
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  execv(program->c_str(), raw.data());
  return Report(context, {ExitCode::kInternal,
                          absl::StrCat("cannot run ", *program, ": ", std::strerror(errno))});
}

}  // namespace

ExitCode ShowInfo(const Context& context, const InfoOptions& options) {
  if (options.server.empty()) {
    return Query(context, "cannot ask this node", &AdminStub::GetNode,
                 measurement::v1::GetNodeRequest(), [&](const measurement::v1::NodeInfo& node) {
                   return context.json ? JsonLine(node) : RenderNode(node, context.terminal);
                 });
  }
  measurement::v1::GetRemoteInfoRequest request;
  *request.mutable_remote() = ToRemote(options.server, options.ca, options.plaintext);
  return Query(context, absl::StrCat("cannot ask ", options.server), &AdminStub::GetRemoteInfo,
               request, [&](const measurement::v1::ServerInfo& server) {
                 if (context.json) return JsonLine(server);
                 const std::string notice = RenderNotice(server, context.terminal);
                 return RenderServer(server, context.terminal) +
                        (notice.empty() ? "" : "\n" + notice);
               });
}

ExitCode ListSessions(const Context& context, const SessionsOptions& options) {
  measurement::v1::ListSessionsRequest request;
  request.set_active_only(options.active_only);
  request.set_limit(options.limit);
  return Query(context, "cannot list sessions", &AdminStub::ListSessions, request,
               [&](const measurement::v1::ListSessionsReply& reply) {
                 return context.json ? JsonLine(reply) : RenderSessions(reply, context.terminal);
               });
}

ExitCode ListNotices(const Context& context, uint32_t limit) {
  measurement::v1::ListNoticesRequest request;
  request.set_limit(limit);
  return Query(context, "cannot list notices", &AdminStub::ListNotices, request,
               [&](const measurement::v1::ListNoticesReply& reply) {
                 return context.json ? JsonLine(reply) : RenderNotices(reply, context.terminal);
               });
}

ExitCode ReloadPolicy(const Context& context) {
  bool kept = false;
  const ExitCode code = Query(
      context, "cannot reload the policy", &AdminStub::ReloadPolicy,
      measurement::v1::ReloadPolicyRequest(), [&](const measurement::v1::ReloadPolicyReply& reply) {
        kept = reply.result() == measurement::v1::ReloadPolicyReply::KEPT_LAST_GOOD;
        if (context.json) return JsonLine(reply);
        for (const std::string& error : reply.errors()) context.err << error << "\n";
        for (const std::string& warning : reply.warnings()) context.err << warning << "\n";
        return RenderReload(reply);
      });
  return code == ExitCode::kOk && kept ? ExitCode::kUsage : code;
}

ExitCode CheckPolicy(const Context& context, const std::vector<std::string>& files) {
  std::vector<std::string> arguments{"check-policy"};
  arguments.insert(arguments.end(), files.begin(), files.end());
  return BecomeControl(context, std::move(arguments));
}

ExitCode ExplainPolicy(const Context& context, const ExplainOptions& options) {
  std::vector<std::string> arguments{"explain-policy"};
  arguments.insert(arguments.end(), options.files.begin(), options.files.end());
  for (const auto& [flag, file] :
       {std::pair("--request", &options.request), std::pair("--record", &options.record)}) {
    if (file->empty()) continue;
    arguments.emplace_back(flag);
    arguments.push_back(*file);
  }
  return BecomeControl(context, std::move(arguments));
}

}  // namespace weir::cli
