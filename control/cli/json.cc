#include "control/cli/json.h"

#include <google/protobuf/util/json_util.h>

namespace weir::cli {

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  // Fails only for messages that hold Any or malformed Timestamps; these hold neither.
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return "{}";
  return json;
}

std::string ToJson(const std::string& name, const google::protobuf::Message& message) {
  return "{\"" + name + "\":" + ToJson(message) + "}";
}

}  // namespace weir::cli
