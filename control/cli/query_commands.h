// The subcommands that only ask: info, sessions, policy.
#ifndef WEIR_CONTROL_CLI_QUERY_COMMANDS_H_
#define WEIR_CONTROL_CLI_QUERY_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "control/cli/command.h"

namespace weir::cli {

struct InfoOptions {
  std::string server;  // Empty: this node.
  std::string ca;
  bool plaintext = false;
};
ExitCode ShowInfo(const Context& context, const InfoOptions& options);

struct SessionsOptions {
  bool active_only = false;
  uint32_t limit = 0;
};
ExitCode ListSessions(const Context& context, const SessionsOptions& options);

// Of unusual activity. `limit` 0: 100.
ExitCode ListNotices(const Context& context, uint32_t limit);

// Reads the policy files again. kUsage: they are no policy, the last good one stays in force.
ExitCode ReloadPolicy(const Context& context);

// Become `weir-control check-policy` and `explain-policy`; return only if that cannot be run.
ExitCode CheckPolicy(const Context& context, const std::vector<std::string>& files);
struct ExplainOptions {
  std::vector<std::string> files;
  std::string request;  // One of the two is given.
  std::string record;
};
ExitCode ExplainPolicy(const Context& context, const ExplainOptions& options);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_QUERY_COMMANDS_H_
