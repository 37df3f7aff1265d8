// What every subcommand gets, and how it reports.
#ifndef WEIR_CONTROL_CLI_COMMAND_H_
#define WEIR_CONTROL_CLI_COMMAND_H_

#include <ostream>
#include <string>

#include "control/cli/admin_client.h"
#include "control/cli/exit_code.h"
#include "control/cli/interrupt.h"
#include "control/cli/terminal.h"

namespace weir::cli {

struct Context {
  std::string admin = kDefaultAdminSocket;
  bool json = false;
  Terminal terminal{false, false, false};
  std::ostream& out;
  std::ostream& err;
  Interrupt& interrupt;
};

// Prints "weir: <message>" and returns the code.
ExitCode Report(const Context& context, const Failure& failure);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_COMMAND_H_
