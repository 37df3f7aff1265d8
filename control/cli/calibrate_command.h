// `weir calibrate`: what this host can generate and sink by itself.
#ifndef WEIR_CONTROL_CLI_CALIBRATE_COMMAND_H_
#define WEIR_CONTROL_CLI_CALIBRATE_COMMAND_H_

#include <string>

#include "control/cli/command.h"

namespace weir::cli {

inline constexpr char kDefaultCalibration[] = "/var/lib/weir/calibration.textproto";

struct CalibrateOptions {
  std::string duration = "2s";  // Of each of its four runs.
  std::string output;           // A file instead of the local node's.
  bool show = false;            // What the local node keeps.
};

ExitCode RunCalibrate(Context context, const CalibrateOptions& options);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_CALIBRATE_COMMAND_H_
