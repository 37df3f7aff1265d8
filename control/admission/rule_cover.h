// Whether one rule leaves anything for another to decide.
#ifndef WEIR_CONTROL_ADMISSION_RULE_COVER_H_
#define WEIR_CONTROL_ADMISSION_RULE_COVER_H_

#include "policy/v1/policy.pb.h"

namespace weir::control {

// True if `earlier` matches everything `later` matches. Client prefixes must parse.
bool Covers(const policy::v1::AdmissionRule& earlier, const policy::v1::AdmissionRule& later);
bool Covers(const policy::v1::ExportRule& earlier, const policy::v1::ExportRule& later);

// True if some session under `admission` could be exported with a record.
bool HasExport(const policy::v1::Policy& policy, const policy::v1::AdmissionRule& admission);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_RULE_COVER_H_
