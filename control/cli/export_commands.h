// weir export: how far weir-export is.
#ifndef WEIR_CONTROL_CLI_EXPORT_COMMANDS_H_
#define WEIR_CONTROL_CLI_EXPORT_COMMANDS_H_

#include <cstdint>

#include "control/cli/command.h"

namespace weir::cli {

struct ExportOptions {
  uint32_t limit = 0;  // Of dead letters.
};
ExitCode ShowExportStatus(const Context& context, const ExportOptions& options);
ExitCode ListDeadLetters(const Context& context, const ExportOptions& options);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_EXPORT_COMMANDS_H_
