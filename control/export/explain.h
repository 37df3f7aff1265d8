// `weir-control explain-policy FILE... --request R.json | --record R.json [--json]`.
#ifndef WEIR_CONTROL_EXPORT_EXPLAIN_H_
#define WEIR_CONTROL_EXPORT_EXPLAIN_H_

#include <ostream>
#include <string>
#include <vector>

namespace weir::control {

struct ExplainOptions {
  std::vector<std::string> files;  // Stacked, in this order.
  std::string request;             // File of a measurement.v1.AdmissionQuery; or:
  std::string record;              // File of a record.v1.Record.
  bool json = false;
};

// Judges it by the files as weir-control would and prints every step (with `json`: one
// measurement.v1.Explanation) on `out`, faults of the input on `err`. Returns the exit code: 0
// admitted or approved, 3 refused or withheld, 2 the input is no policy, request or record.
int ExplainPolicy(const ExplainOptions& options, std::ostream& out, std::ostream& err);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_EXPLAIN_H_
