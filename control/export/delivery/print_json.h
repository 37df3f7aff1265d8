// What is delivered, as JSON.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_PRINT_JSON_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_PRINT_JSON_H_

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/statusor.h"

namespace weir::control {

// On one line, with the fields' names as in the schema; what is 0 or empty is there, too: nothing
// lost is 0, not unknown. InvalidArgument: text that JSON cannot hold.
absl::StatusOr<std::string> PrintJson(const google::protobuf::Message& message);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_PRINT_JSON_H_
