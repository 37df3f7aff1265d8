// Where tests kill the process.
#ifndef WEIR_CONTROL_FAILPOINT_H_
#define WEIR_CONTROL_FAILPOINT_H_

#include <string_view>

namespace weir::control {

// WEIR_FAILPOINT=NAME or NAME:N in the environment kills the process (SIGKILL) when it comes to
// that point, or there for the Nth time. Nothing else looks at it. Names: deploy/docs/export.md.
void Failpoint(std::string_view name);

}  // namespace weir::control

#endif  // WEIR_CONTROL_FAILPOINT_H_
