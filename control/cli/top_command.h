// `weir top`: what the local node is doing, second by second.
#ifndef WEIR_CONTROL_CLI_TOP_COMMAND_H_
#define WEIR_CONTROL_CLI_TOP_COMMAND_H_

#include <string>

#include "control/cli/command.h"

namespace weir::cli {

struct TopOptions {
  std::string interval = "1s";
  bool once = false;
};

// Until q or an interrupt; once if asked, or if nobody watches: standard output is no terminal and
// no JSON either.
ExitCode RunTop(const Context& context, const TopOptions& options);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_TOP_COMMAND_H_
