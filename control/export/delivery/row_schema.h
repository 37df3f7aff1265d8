// The schema file beside M-Lab's data, and rows held to it: nobody downstream validates them.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_ROW_SCHEMA_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_ROW_SCHEMA_H_

#include <google/protobuf/struct.pb.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace weir::control {

// An array of {mode, name, type[, fields]}.
class RowSchema {
 public:
  // Of delivery.v1.MlabRow.
  static RowSchema OfRows();
  // InvalidArgument: not a schema.
  static absl::StatusOr<RowSchema> Parse(const std::string& json);

  std::string ToJson() const;

  // FailedPrecondition names the first column `newer` lacks or has of another type or mode:
  // tables only ever grow.
  absl::Status AllowsChangeTo(const RowSchema& newer) const;

  // One line of JSON with these columns and no others.
  absl::Status Validate(const std::string& row) const;

 private:
  google::protobuf::ListValue columns_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_ROW_SCHEMA_H_
