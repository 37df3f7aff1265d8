// The report of a run on disk, written after every trial, so that the run can be continued.
#ifndef WEIR_CONTROL_CLI_RFC2544_STATE_FILE_H_
#define WEIR_CONTROL_CLI_RFC2544_STATE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/cli/rfc2544/procedure.h"
#include "measurement/v1/rfc2544.pb.h"

namespace weir::cli::rfc2544 {

inline constexpr uint32_t kReportFormat = 1;

// The whole file or, if something fails, the one that was there before.
absl::Status SaveState(const std::string& path, const measurement::v1::Rfc2544Report& report);

// Errors name the file, what is wrong with it and what to do. Its parameters are valid.
absl::StatusOr<measurement::v1::Rfc2544Report> LoadState(const std::string& path);

// Brings `procedure`, which is of the report's parameters, to where the report's trials end.
absl::Status Replay(const std::string& path, const measurement::v1::Rfc2544Report& report,
                    Procedure* procedure);

}  // namespace weir::cli::rfc2544

#endif  // WEIR_CONTROL_CLI_RFC2544_STATE_FILE_H_
