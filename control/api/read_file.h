#ifndef WEIR_CONTROL_API_READ_FILE_H_
#define WEIR_CONTROL_API_READ_FILE_H_

#include <absl/status/statusor.h>

#include <string>

namespace weir::control {

// The whole of a small text file: a certificate or key. The error names the path.
absl::StatusOr<std::string> ReadFile(const std::string& path);

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_READ_FILE_H_
