// A policy file, checked and compiled. proto/policy/v1/policy.proto, proto/README.md section 8.
#ifndef WEIR_CONTROL_ADMISSION_POLICY_H_
#define WEIR_CONTROL_ADMISSION_POLICY_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/admission/built_in_rules.h"
#include "control/admission/ip_address.h"
#include "control/admission/prefix_trie.h"
#include "policy/v1/policy.pb.h"

namespace weir::control {

// What admission rules are matched against.
struct AdmissionSubject {
  IpAddress client;
  std::string identity;  // "anonymous" or "certificate:<CN>".
  std::string experiment;
  std::string purpose;
  std::vector<std::string> directions;  // "down", "up".
};

// Immutable, so any number of threads may read it; sessions keep the policy they were admitted
// under alive.
class Policy {
 public:
  // InvalidArgument lists every fault found, one a line, each naming file and rule.
  static absl::StatusOr<std::shared_ptr<const Policy>> Parse(const std::string& path,
                                                             const std::string& text);

  const std::string& profile() const { return proto_.profile(); }
  const std::string& notice() const { return proto_.notice(); }
  const std::string& notice_digest() const { return notice_digest_; }  // Empty without a notice.
  const std::string& digest() const { return digest_; }  // "sha256:<hex>" of the file's bytes.
  const policy::v1::Policy& proto() const { return proto_; }

  // Rules that can never decide because an earlier one always does: an explanation each.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // The first admission rule that matches, or null: refused by kDefaultDenyRule. An ALLOW with
  // directions must cover every requested one, a DENY matches if it names any of them.
  const policy::v1::AdmissionRule* MatchAdmission(const AdmissionSubject& subject) const;

  // Likewise for export.
  const policy::v1::ExportRule* MatchExport(std::string_view experiment,
                                            std::string_view admission_rule) const;

 private:
  Policy() = default;

  policy::v1::Policy proto_;
  std::string digest_;
  std::string notice_digest_;
  std::vector<std::string> warnings_;
  PrefixTrie clients_;  // Values are indexes of admission rules.
};

// Reads and parses; a missing file is NotFound.
absl::StatusOr<std::shared_ptr<const Policy>> LoadPolicy(const std::string& path);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_POLICY_H_
