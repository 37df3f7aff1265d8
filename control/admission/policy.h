// The policy in force: all its files, as one immutable object.
#ifndef WEIR_CONTROL_ADMISSION_POLICY_H_
#define WEIR_CONTROL_ADMISSION_POLICY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/admission/built_in_rules.h"
#include "control/admission/policy_layer.h"
#include "policy/v1/policy.pb.h"
#include "record/v1/record.pb.h"

namespace weir::control {

// What a person may leave with a test of an experiment.
struct ContactTerms {
  std::string rule = {};
  std::string public_key = {};  // 32 bytes.
  std::string key_digest = {};  // "sha256:<hex>".
  uint32_t max_bytes = 0;
  uint32_t keep_days = 0;
};

// Somebody who may have copies.
struct Holder {
  std::string recipient = {};
  std::string role = {};
};

// What the export rules of all layers make of a record.
struct ExportVerdict {
  bool allowed = false;
  // The rule of each layer, joined by '+'; or, for a refusal, the one that refuses.
  std::string rule = {};
  std::string profile = {};  // Of the layer that refuses.
  // The strictest of the layers'.
  record::v1::AddressMode address = record::v1::ADDRESS_NONE;
  record::v1::ReleaseClass release_class = record::v1::OPERATOR_ONLY;
  uint32_t embargo_days = 0;
  uint32_t anonymise_days = 0;                            // 0: never.
  std::string license = {};                               // Of all layers, joined by '+'.
  uint32_t keep_days = 0;                                 // 0: for good.
  std::vector<const policy::v1::ExportRule*> rules = {};  // By layer; null: none matches.
};

// Policy files stacked: a site's and those of whoever it belongs to. Each must allow what is done,
// so a layer can tighten and never loosen: any DENY (or no match) refuses, limits are the
// intersection, the strictest address mode and release class hold. Immutable, so any number of
// threads may read it; sessions keep the policy they were admitted under alive.
class Policy {
 public:
  // One layer. InvalidArgument lists every fault found, one a line, each naming file and rule.
  static absl::StatusOr<std::shared_ptr<const Policy>> Parse(const std::string& path,
                                                             const std::string& text);
  // At least one layer, the site's own first.
  static std::shared_ptr<const Policy> Stack(
      std::vector<std::shared_ptr<const PolicyLayer>> layers);

  // The layers' values; where there are several: profiles joined by '+', notices one after the
  // other, and the digest of the layers' digests in order.
  const std::string& profile() const { return profile_; }
  const std::string& notice() const { return notice_; }
  const std::string& notice_digest() const { return notice_digest_; }  // Empty without a notice.
  const std::string& legal_basis() const { return legal_basis_; }
  const std::string& digest() const { return digest_; }

  const std::vector<std::shared_ptr<const PolicyLayer>>& layers() const { return layers_; }
  std::vector<std::string> warnings() const;  // Of all layers.

  // The first rule of each layer that matches; null where none does.
  std::vector<const policy::v1::AdmissionRule*> MatchAdmission(
      const AdmissionSubject& subject) const;

  // `admission_rules` as JoinRules made it.
  ExportVerdict MatchExport(std::string_view experiment, std::string_view admission_rules) const;

  // True if every layer that has disclosure rules lets the role read the field of a record in that
  // state; names as in DisclosureRule.
  bool Discloses(std::string_view role, std::string_view state, std::string_view field) const;
  // The role of a recipient with this purpose, which every layer must declare alike. NotFound says
  // what is not declared where.
  absl::StatusOr<std::string> RecipientRole(std::string_view recipient,
                                            std::string_view purpose) const;

  // Nobody may leave contact details unless every layer has the same key for the experiment; the
  // least of their limits holds.
  std::optional<ContactTerms> Contact(std::string_view experiment) const;
  std::vector<std::string> ContactExperiments() const;
  // Recipients that every layer declares with one role.
  std::vector<Holder> holders() const;

  // The fewest clients whose values a report may show: the most that a layer says.
  uint32_t report_min_clients() const;

  // Some layer has rules of its own.
  bool HasDisclosure() const;

 private:
  Policy() = default;
  void TellOfContacts();

  std::vector<std::shared_ptr<const PolicyLayer>> layers_;
  std::string profile_, notice_, notice_digest_, legal_basis_, digest_;
};

// "site-rule+upstream-rule": how the deciding rules of all layers stand in grants and records.
std::string JoinRules(const std::vector<const policy::v1::AdmissionRule*>& rules);
bool IsRuleList(std::string_view text);

// Reads and parses all files. NotFound: one is missing. InvalidArgument lists the faults of all.
absl::StatusOr<std::shared_ptr<const Policy>> LoadPolicy(const std::vector<std::string>& paths);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_POLICY_H_
