// weir export: how far weir-export is.
#ifndef WEIR_CONTROL_CLI_EXPORT_COMMANDS_H_
#define WEIR_CONTROL_CLI_EXPORT_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "control/cli/command.h"

namespace weir::cli {

struct ExportOptions {
  uint32_t limit = 0;  // Of dead letters.
};
struct RetryOptions {
  std::string destination;
  std::vector<std::string> record_ids;  // None: all.
};
ExitCode ShowExportStatus(const Context& context, const ExportOptions& options);
// By its name. What it does not have holds back retention no more.
ExitCode ForgetDestination(const Context& context, const std::string& name);

ExitCode ListDeadLetters(const Context& context, const ExportOptions& options);
ExitCode RetryDeadLetters(const Context& context, const RetryOptions& options);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_EXPORT_COMMANDS_H_
