// weir audit: what was admitted, refused and changed, and whether anybody changed the log.
#ifndef WEIR_CONTROL_CLI_AUDIT_COMMANDS_H_
#define WEIR_CONTROL_CLI_AUDIT_COMMANDS_H_

#include <cstdint>
#include <string>

#include "control/cli/command.h"

namespace weir::cli {

struct AuditOptions {
  uint32_t limit = 0;
  int64_t before_id = 0;
  std::string event;
  std::string session_id;
  bool trace = false;  // Show how each decision came about.
};
ExitCode ListAudit(const Context& context, const AuditOptions& options);

// `head`: "ID:HASH" as an earlier run printed it, or empty. kLocal: the log is not intact.
ExitCode VerifyAudit(const Context& context, const std::string& head);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_AUDIT_COMMANDS_H_
