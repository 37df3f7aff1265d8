// How `weir` ends. Documented in README and relied on by scripts: never renumber.
#ifndef WEIR_CONTROL_CLI_EXIT_CODE_H_
#define WEIR_CONTROL_CLI_EXIT_CODE_H_

#include <string>
#include <utility>

namespace weir::cli {

enum class ExitCode {
  kOk = 0,
  kInternal = 1,
  kUsage = 2,        // The command line or the request makes no sense.
  kRefused = 3,      // By the server's (or this node's) policy.
  kUnreachable = 4,  // The server, or the local weir-control.
  kAborted = 5,      // The test ended before its time; what was measured is shown.
  kVersion = 6,      // The peer speaks another protocol version.
  kLocal = 7,        // The local dataplane or store failed.
};

// Why a command could not do its work, in words for a person.
struct Failure {
  ExitCode code = ExitCode::kInternal;
  std::string message;
};

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_EXIT_CODE_H_
