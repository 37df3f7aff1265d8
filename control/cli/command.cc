#include "control/cli/command.h"

namespace weir::cli {

ExitCode Report(const Context& context, const Failure& failure) {
  context.err << "weir: " << failure.message << (failure.message.ends_with('\n') ? "" : "\n");
  return failure.code;
}

}  // namespace weir::cli
