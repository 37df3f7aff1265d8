#include "control/admission/policy.h"

#include <algorithm>

#include "control/admission/digest.h"
#include "control/admission/policy_validator.h"
#include "control/config/text_proto.h"

namespace weir::control {
namespace {

template <typename List>
bool Holds(const List& list, std::string_view value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

bool DirectionsHold(const policy::v1::AdmissionRule& rule, const AdmissionSubject& subject) {
  const auto& listed = rule.match().direction();
  if (listed.empty()) return true;
  const auto in_rule = [&](const std::string& direction) { return Holds(listed, direction); };
  return rule.effect() == policy::v1::DENY
             ? std::any_of(subject.directions.begin(), subject.directions.end(), in_rule)
             : std::all_of(subject.directions.begin(), subject.directions.end(), in_rule);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Policy>> Policy::Parse(const std::string& path,
                                                            const std::string& text) {
  std::shared_ptr<Policy> policy(new Policy);
  google::protobuf::TextFormat::ParseInfoTree locations;
  if (absl::Status status = ParseTextProto(path, text, &policy->proto_, &locations); !status.ok()) {
    return status;
  }
  auto warnings = ValidatePolicy(path, policy->proto_, locations);
  if (!warnings.ok()) return warnings.status();
  policy->warnings_ = *std::move(warnings);
  policy->digest_ = Sha256Digest(text);
  if (!policy->notice().empty()) policy->notice_digest_ = Sha256Digest(policy->notice());
  for (int i = 0; i < policy->proto_.admission_size(); ++i) {
    for (const std::string& client : policy->proto_.admission(i).match().client()) {
      policy->clients_.Insert(*IpPrefix::Parse(client), static_cast<uint32_t>(i));
    }
  }
  return policy;
}

const policy::v1::AdmissionRule* Policy::MatchAdmission(const AdmissionSubject& subject) const {
  std::vector<bool> client_listed(proto_.admission_size());
  clients_.Lookup(subject.client, [&](uint32_t rule) { client_listed[rule] = true; });
  for (int i = 0; i < proto_.admission_size(); ++i) {
    const policy::v1::AdmissionRule& rule = proto_.admission(i);
    const policy::v1::Match& match = rule.match();
    if ((match.client().empty() || client_listed[i]) && Holds(match.identity(), subject.identity) &&
        Holds(match.experiment(), subject.experiment) && Holds(match.purpose(), subject.purpose) &&
        DirectionsHold(rule, subject)) {
      return &rule;
    }
  }
  return nullptr;
}

const policy::v1::ExportRule* Policy::MatchExport(std::string_view experiment,
                                                  std::string_view admission_rule) const {
  for (const policy::v1::ExportRule& rule : proto_.export_()) {
    if (Holds(rule.match().experiment(), experiment) &&
        Holds(rule.match().admission_rule(), admission_rule)) {
      return &rule;
    }
  }
  return nullptr;
}

absl::StatusOr<std::shared_ptr<const Policy>> LoadPolicy(const std::string& path) {
  const auto text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  return Policy::Parse(path, *text);
}

}  // namespace weir::control
