// Where M-Lab's uploader looks for files, and what it ignores for ever.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_MLAB_LAYOUT_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_MLAB_LAYOUT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace weir::control {

struct MlabName {
  std::string experiment;
  std::string datatype;
  std::string subtest;  // "down", "up", "erasuredown", "erasureup".
  uint64_t unix_ns = 0;
  std::string uuid;
};

// "<experiment>/<datatype>/YYYY/MM/DD/<datatype>-<subtest>-YYYYMMDDThhmmss.nnnnnnnnnZ.<uuid>.json",
// UTC: below the spool directory.
std::string MlabPath(const MlabName& name);

// InvalidArgument says what of it the uploader would not take.
absl::Status ValidateMlabPath(const std::string& path);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_MLAB_LAYOUT_H_
