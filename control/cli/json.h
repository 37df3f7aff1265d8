// Protobuf's canonical JSON with the field names of the .proto files: proto/README.md section 6.
#ifndef WEIR_CONTROL_CLI_JSON_H_
#define WEIR_CONTROL_CLI_JSON_H_

#include <google/protobuf/message.h>

#include <string>

namespace weir::cli {

// One line, fields with default values included, without a newline.
std::string ToJson(const google::protobuf::Message& message);

// {"<name>": <message>}: how a refusal or failure stands where a result would.
std::string ToJson(const std::string& name, const google::protobuf::Message& message);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_JSON_H_
