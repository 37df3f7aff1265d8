// What a policy lets be read, for whoever enforces it elsewhere.
#ifndef WEIR_CONTROL_EXPORT_DISCLOSURE_TABLE_H_
#define WEIR_CONTROL_EXPORT_DISCLOSURE_TABLE_H_

#include <string>

#include "control/admission/policy.h"
#include "export/v1/export.pb.h"

namespace weir::control {

// All of it: who is not in it reads nothing. `node`: whose policy it is.
delivery::v1::Disclosure DescribeDisclosure(const Policy& policy, const std::string& node);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DISCLOSURE_TABLE_H_
