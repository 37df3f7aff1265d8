// Where Weir's other programs are.
#ifndef WEIR_CONTROL_CLI_PROGRAMS_H_
#define WEIR_CONTROL_CLI_PROGRAMS_H_

#include <optional>
#include <string>

namespace weir::cli {

// Looks beside this program, where the build leaves it, in the sbin beside an installed bin, and
// in PATH. The first that is executable, as an absolute path.
std::optional<std::string> FindProgram(const std::string& name);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_PROGRAMS_H_
