// The screen of `weir top`.
#ifndef WEIR_CONTROL_CLI_RENDER_TOP_H_
#define WEIR_CONTROL_CLI_RENDER_TOP_H_

#include <string>

#include "control/cli/terminal.h"
#include "measurement/v1/admin.pb.h"

namespace weir::cli {

// Ports, workers, sessions, drops by cause: with rates if they were taken.
std::string RenderTop(const measurement::v1::NodeActivity& activity, const Terminal& terminal);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_RENDER_TOP_H_
