// The process between `weir` and the private pair it started.
#ifndef WEIR_CONTROL_CLI_PAIR_GUARD_H_
#define WEIR_CONTROL_CLI_PAIR_GUARD_H_

#include <string>

namespace weir::cli {

// The hidden first argument by which `weir` runs itself as the guard.
inline constexpr char kPairGuardArgument[] = "--private-pair-guard";

// A dataplane that has dropped its privileges no longer gets its parent's death signal (the
// kernel clears it with the credentials), so somebody who keeps his must watch. Reads standard
// input until its other end closes, reports one line on standard output, takes both daemons down
// and removes `directory`. Returns the exit code.
int RunPairGuard(const std::string& directory, const std::string& device);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_PAIR_GUARD_H_
