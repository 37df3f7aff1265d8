#include "control/cli/command.h"

namespace weir::cli {

ExitCode Report(const Context& context, const Failure& failure) {
  context.err << "weir: " << failure.message << "\n";
  return failure.code;
}

}  // namespace weir::cli
