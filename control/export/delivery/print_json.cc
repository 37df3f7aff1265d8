#include "control/export/delivery/print_json.h"

#include <google/protobuf/util/json_util.h>

namespace weir::control {

absl::StatusOr<std::string> PrintJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return absl::InvalidArgumentError(std::string(status.message()));
  return json;
}

}  // namespace weir::control
