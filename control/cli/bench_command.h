// `weir generate` and `weir sink`: one end of a bench run on the local node.
#ifndef WEIR_CONTROL_CLI_BENCH_COMMAND_H_
#define WEIR_CONTROL_CLI_BENCH_COMMAND_H_

#include "control/cli/bench_request.h"
#include "control/cli/command.h"

namespace weir::cli {

ExitCode RunBench(Context context, const BenchOptions& options, BenchEnd end);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_BENCH_COMMAND_H_
