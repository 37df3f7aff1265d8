// `weir test`.
#ifndef WEIR_CONTROL_CLI_TEST_COMMAND_H_
#define WEIR_CONTROL_CLI_TEST_COMMAND_H_

#include "control/cli/command.h"
#include "control/cli/test_request.h"

namespace weir::cli {

ExitCode RunTest(Context context, const TestOptions& options);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_TEST_COMMAND_H_
