// The command line of `weir`.
#ifndef WEIR_CONTROL_CLI_CLI_H_
#define WEIR_CONTROL_CLI_CLI_H_

#include <ostream>
#include <string>
#include <vector>

#include "control/cli/interrupt.h"
#include "control/cli/terminal.h"

namespace weir::cli {

// `arguments` without the program's name. Returns the exit code (exit_code.h).
int RunCli(const std::vector<std::string>& arguments, const Terminal& terminal, std::ostream& out,
           std::ostream& err, Interrupt* interrupt);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_CLI_H_
