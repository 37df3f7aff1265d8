// Reading a protobuf text file with errors a person can act on.
#ifndef WEIR_CONTROL_CONFIG_TEXT_PROTO_H_
#define WEIR_CONTROL_CONFIG_TEXT_PROTO_H_

#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace weir::control {

// The file's bytes. NotFound or PermissionDenied names the path; a larger file is refused.
absl::StatusOr<std::string> ReadTextFile(const std::string& path,
                                         size_t max_bytes = size_t{1} << 20);

// Parses `text` into `message`. An unknown field, a malformed value or text that is not UTF-8 is
// InvalidArgument: "<path>:<line>:<column>: <what>; allowed: <names>". Line and column from 1.
// `locations`, when given, receives the line (from 0) of every field.
absl::Status ParseTextProto(const std::string& path, const std::string& text,
                            google::protobuf::Message* message,
                            google::protobuf::TextFormat::ParseInfoTree* locations = nullptr);

}  // namespace weir::control

#endif  // WEIR_CONTROL_CONFIG_TEXT_PROTO_H_
