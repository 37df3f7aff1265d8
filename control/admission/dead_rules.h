// Rules that never decide anything, for another reason than an earlier rule of their own list.
#ifndef WEIR_CONTROL_ADMISSION_DEAD_RULES_H_
#define WEIR_CONTROL_ADMISSION_DEAD_RULES_H_

#include <string>
#include <vector>

#include "policy/v1/policy.pb.h"

namespace weir::control {

struct DeadRule {
  int index = 0;    // In its list.
  std::string why;  // What of it is never reached, because of which rule, and what to do.
};

// Of one policy file, each rule of which is sound by itself.
//
// Export rules that name an experiment or an admission rule of which there is never a record.
std::vector<DeadRule> FindDeadExport(const policy::v1::Policy& policy);
// Disclosure rules that allow nothing beyond what the others do, or what no rule can allow.
std::vector<DeadRule> FindDeadDisclosure(const policy::v1::Policy& policy);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_DEAD_RULES_H_
