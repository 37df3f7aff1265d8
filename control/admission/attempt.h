// One request on its way through admission's stages; only their implementation sees this.
#ifndef WEIR_CONTROL_ADMISSION_ATTEMPT_H_
#define WEIR_CONTROL_ADMISSION_ATTEMPT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/admission/admission.h"
#include "policy/v1/trace.pb.h"

namespace weir::control {

// One quota of a matched rule, as it stood when the request was judged.
struct Admission::QuotaUse {
  const policy::v1::Quota* quota;
  size_t layer;
  std::string of_class;  // Whose quota it is; empty: the rule's own.
  UseKey key;
  ObservedUse seen = {};
};

// A bound on the rate that a quota sets, used up direction by direction.
struct Admission::RateCap {
  QuotaUse use;
  const char* field;
  std::string value;
  std::string limit;
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
  void Note(const Step& step);
};

// `profile` and `serves` are set for a rule of a layer.
struct Admission::Step {
  const char* stage;
  std::string rule;
  std::string field = {};
  std::string value = {};
  std::string limit = {};
  policy::v1::Verdict verdict = policy::v1::PASSED;
  bool shared = false;
  std::string profile = {};
  const policy::v1::AdmissionRule* serves = nullptr;
};

// "down", "up".
const char* DirectionName(record::v1::Direction direction);
// "directions[down].parameters.<name>".
std::string ParameterField(record::v1::Direction direction, const std::string& name);
std::string RateText(uint64_t bps);  // "1.5 Gbit/s".
// The limits a quota sets, of a rule or of a class: "quota.<scope>.<field>" and "<= <limit>".
std::vector<std::pair<std::string, std::string>> QuotaLimits(const policy::v1::Quota& quota,
                                                             const std::string& of_class);
void AddReason(std::vector<std::string>* reasons, const std::string& reason);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_ATTEMPT_H_
