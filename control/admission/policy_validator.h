// What a policy must satisfy beyond its schema.
#ifndef WEIR_CONTROL_ADMISSION_POLICY_VALIDATOR_H_
#define WEIR_CONTROL_ADMISSION_POLICY_VALIDATOR_H_

#include <google/protobuf/text_format.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "policy/v1/policy.pb.h"

namespace weir::control {

struct PolicyFindings {
  std::vector<std::string> never_reached;  // Rules that others make redundant, or nothing reaches.
  std::vector<std::string> unserved;       // Rules without the sentence they serve.
};

// Returns what is no fault, one line each.
// InvalidArgument with one line for each fault: "<path>:<line>: rule \"x\": <field>: <what>".
// A rule hidden behind others of the opposite effect is a fault: its author believes it decides.
absl::StatusOr<PolicyFindings> ValidatePolicy(
    const std::string& path, const policy::v1::Policy& policy,
    const google::protobuf::TextFormat::ParseInfoTree& locations);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_POLICY_VALIDATOR_H_
