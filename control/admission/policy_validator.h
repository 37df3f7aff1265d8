// What a policy must satisfy beyond its schema.
#ifndef WEIR_CONTROL_ADMISSION_POLICY_VALIDATOR_H_
#define WEIR_CONTROL_ADMISSION_POLICY_VALIDATOR_H_

#include <google/protobuf/text_format.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "policy/v1/policy.pb.h"

namespace weir::control {

// Returns the warnings: rules that an earlier one of the same effect makes redundant.
// InvalidArgument with one line for each fault: "<path>:<line>: rule \"x\": <field>: <what>".
// A rule hidden behind one of the opposite effect is a fault: its author believes it decides.
absl::StatusOr<std::vector<std::string>> ValidatePolicy(
    const std::string& path, const policy::v1::Policy& policy,
    const google::protobuf::TextFormat::ParseInfoTree& locations);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_POLICY_VALIDATOR_H_
