// weir-export's configuration: proto/config/v1/export.proto.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_EXPORT_CONFIG_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_EXPORT_CONFIG_H_

#include <string>

#include "absl/status/statusor.h"
#include "config/v1/export.pb.h"

namespace weir::control {

// Reads, checks and completes it. InvalidArgument names the file, the field and what is allowed.
absl::StatusOr<config::v1::ExportConfig> LoadExportConfig(const std::string& path);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_EXPORT_CONFIG_H_
