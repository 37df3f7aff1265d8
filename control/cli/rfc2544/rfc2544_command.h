// `weir rfc2544`: benchmarks a device between two ports of the local node.
#ifndef WEIR_CONTROL_CLI_RFC2544_RFC2544_COMMAND_H_
#define WEIR_CONTROL_CLI_RFC2544_RFC2544_COMMAND_H_

#include "control/cli/command.h"
#include "control/cli/rfc2544/parameters.h"

namespace weir::cli::rfc2544 {

ExitCode RunRfc2544(Context context, const Options& options);

}  // namespace weir::cli::rfc2544

#endif  // WEIR_CONTROL_CLI_RFC2544_RFC2544_COMMAND_H_
