// Files that are there after a crash.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_DURABLE_FILE_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_DURABLE_FILE_H_

#include <string>

#include "absl/status/status.h"

namespace weir::control {

// "cannot <what> <path>: <errno>". ResourceExhausted: there is no space for it.
absl::Status FileError(const std::string& what, const std::string& path);

absl::Status WriteAll(int fd, const std::string& bytes, const std::string& path);
absl::Status MakeDirectories(const std::string& path);
absl::Status SyncDirectory(const std::string& path);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_DURABLE_FILE_H_
