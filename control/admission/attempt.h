// One request on its way through admission's stages; only their implementation sees this.
#ifndef WEIR_CONTROL_ADMISSION_ATTEMPT_H_
#define WEIR_CONTROL_ADMISSION_ATTEMPT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/admission/admission.h"
#include "control/admission/decision_trace.h"

namespace weir::control {

// One quota of a matched rule, as it stood when the request was judged.
struct Admission::QuotaUse {
  const policy::v1::Quota* quota;
  size_t layer = 0;
  std::string_view of_class = {};  // Whose quota it is; empty: the rule's own.
  std::string_view within;         // Its fields' names begin so: "quota.prefix.", "class.campus.".
  UseKey key;
  ObservedUse seen = {};
};

// A bound on the rate that a quota sets, used up direction by direction.
struct Admission::RateCap {
  QuotaUse use;
  const char* field;
  const char* value;  // A Phrase's form: of the rate and what is used.
  uint64_t used_bps;
  uint64_t limit_bps;
  uint64_t left_bps;
  bool egress_only;
};

struct Admission::Attempt {
  const AdmissionRequest& request;
  std::shared_ptr<const Policy> policy = nullptr;
  std::shared_ptr<const std::map<std::string, PortCapacity>> ports = nullptr;

  AdmissionSubject subject = {};
  // By layer of the policy, null where none matches. Empty for a client: no limits apply.
  std::vector<const policy::v1::AdmissionRule*> rules = {};
  std::vector<QuotaUse> quotas = {};
  std::vector<RateCap> caps = {};
  int64_t now_unix_s = 0;
  uint32_t day = 0;
  AdmissionGrant grant = {};
  measurement::v1::Rejection rejection = {};

  const std::string& Profile(size_t layer) const { return policy->layers()[layer]->profile(); }
  void Note(const Step& step) { grant.trace.Add(step); }
};

// "down", "up".
const char* DirectionName(record::v1::Direction direction);
// "directions[down].parameters.": what the names of a direction's parameters begin with.
std::string_view ParametersOf(record::v1::Direction direction);
// The limits that a quota sets, field by field.
std::vector<std::pair<const char*, Phrase>> QuotaLimits(const policy::v1::Quota& quota);
// What the names of its fields begin with.
std::string_view QuotaPrefix(const policy::v1::Quota& quota);
std::string ClassPrefix(const policy::v1::Class& of);
void AddReason(std::vector<std::string>* reasons, const std::string& reason);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_ATTEMPT_H_
