// `weir-control check-policy FILE... [--json]`.
#ifndef WEIR_CONTROL_ADMISSION_CHECK_H_
#define WEIR_CONTROL_ADMISSION_CHECK_H_

#include <ostream>
#include <string>
#include <vector>

namespace weir::control {

// Parses each file, lists its rules on `out` and its faults on `err` (with `json` both on `out`,
// as one object {"policies": [...]}). Returns the exit code: 0 when every file is a policy
// weir-control would start with, every rule can be reached and names the sentence it serves,
// else 2.
int CheckPolicies(const std::vector<std::string>& files, bool json, std::ostream& out,
                  std::ostream& err);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_CHECK_H_
