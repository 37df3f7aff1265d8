#include "control/admission/policy_validator.h"

#include <sodium.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/admission/built_in_rules.h"
#include "control/admission/dead_rules.h"
#include "control/admission/disclosure_names.h"
#include "control/admission/ip_address.h"
#include "control/admission/label.h"
#include "control/admission/policy_layer.h"
#include "control/admission/request_form.h"
#include "control/admission/rule_cover.h"
#include "wire/test_packet.h"

namespace weir::control {
namespace {

using policy::v1::AdmissionRule;
using policy::v1::ExportRule;
using policy::v1::Limit;
using policy::v1::Match;

constexpr char kCertificate[] = "certificate:";
constexpr char kToken[] = "token:";
constexpr char kResearcher[] = "researcher:";
constexpr char kLegitimateInterest[] = "legitimate_interest";
constexpr char kConsent[] = "consent";
// What a tool measures beside its test, of other traffic.
constexpr char kResearcherExternal[] = "researcher-external";
constexpr uint32_t kMaxEmbargoDays = 365;
constexpr uint32_t kMaxAnonymiseDays = 36'500;
constexpr uint32_t kMaxKeepDays = 36'500;
constexpr uint32_t kMaxContactBytes = 4096;
constexpr uint32_t kMaxContactDays = 365;

// One that something can be sealed to: no point of low order.
bool IsSealingKey(const std::string& base64) {
  std::string key;
  if (!absl::Base64Unescape(base64, &key) || key.size() != crypto_box_PUBLICKEYBYTES) return false;
  unsigned char sealed[crypto_box_SEALBYTES + 1];
  const unsigned char message = 0;
  return crypto_box_seal(sealed, &message, 1, reinterpret_cast<const unsigned char*>(key.data())) ==
         0;
}

class Validator {
 public:
  Validator(const std::string& path, const policy::v1::Policy& policy,
            const google::protobuf::TextFormat::ParseInfoTree& locations)
      : path_(path), policy_(policy), locations_(locations) {}

  void Run() {
    if (!IsLabel(policy_.profile())) {
      faults_.push_back(absl::StrCat(path_, ": profile: required; allowed: ", kLabelForm));
    }
    if (policy_.notice().empty() && policy_.profile() != "lab") {
      faults_.push_back(absl::StrCat(
          path_,
          ": notice: required: people must be told what is collected before data flows; "
          "only the profile \"lab\" may do without"));
    }
    CheckSaid();
    CheckNames(policy_.role(), "role");
    CheckNames(policy_.class_(), "class");
    CheckNames(policy_.admission(), "admission");
    CheckNames(policy_.export_(), "export");
    CheckNames(policy_.disclosure(), "disclosure");
    for (int i = 0; i < policy_.role_size(); ++i) CheckRole(i);
    for (int i = 0; i < policy_.class__size(); ++i) CheckClass(i);
    for (int i = 0; i < policy_.admission_size(); ++i) CheckAdmission(i);
    for (int i = 0; i < policy_.export__size(); ++i) CheckExport(i);
    for (int i = 0; i < policy_.disclosure_size(); ++i) CheckDisclosure(i);
    CheckNames(policy_.recipient(), "recipient");
    for (int i = 0; i < policy_.recipient_size(); ++i) CheckRecipient(i);
    CheckNames(policy_.contact(), "contact");
    for (int i = 0; i < policy_.contact_size(); ++i) CheckContact(i);
    if (!faults_.empty()) return;  // What follows relies on rules that are sound by themselves.
    CheckHiddenAdmission();
    CheckHiddenExport();
    for (int i = 0; i < policy_.admission_size(); ++i) CheckRecorded(i);
    CheckUsed();
    ReportDead("export", policy_.export_(), FindDeadExport(policy_));
    ReportDead("disclosure", policy_.disclosure(), FindDeadDisclosure(policy_));
    CheckServed(policy_.role(), "role");
    CheckServed(policy_.class_(), "class");
    CheckServed(policy_.admission(), "admission");
    CheckServed(policy_.export_(), "export");
    CheckServed(policy_.disclosure(), "disclosure");
    CheckServed(policy_.recipient(), "recipient");
    CheckServed(policy_.contact(), "contact");
  }

  std::vector<std::string> faults_;
  PolicyFindings findings_;

 private:
  std::string At(const char* list, int index, const std::string& name) const {
    const auto* field = policy::v1::Policy::descriptor()->FindFieldByName(list);
    const int line = locations_.GetLocation(field, index).line;
    return absl::StrCat(path_, ":", line + 1, ": ", list, " rule \"", name, "\": ");
  }

  template <typename... Parts>
  void Fault(const char* list, int index, const std::string& name, const Parts&... what) {
    faults_.push_back(absl::StrCat(At(list, index, name), what...));
  }

  template <typename Rules>
  void CheckNames(const Rules& rules, const char* list) {
    std::set<std::string> names;
    for (int i = 0; i < rules.size(); ++i) {
      const std::string& name = rules[i].name();
      if (!IsLabel(name)) {
        Fault(list, i, name, "name: required; allowed: ", kLabelForm);
      } else if (std::find(kBuiltInRules.begin(), kBuiltInRules.end(), name) !=
                 kBuiltInRules.end()) {
        Fault(list, i, name, "name: reserved for refusals that no rule decides");
      }
      if (!names.insert(name).second) {
        Fault(list, i, name, "name: used by an earlier rule; names are unique");
      }
      for (const policy::v1::Sentence& sentence : rules[i].serves()) {
        if (!IsLabel(sentence.document())) {
          Fault(list, i, name, "serves.document: required; allowed: ", kLabelForm);
        }
        if (sentence.text().empty()) {
          Fault(list, i, name, "serves.text: required: the sentence, word for word");
        }
      }
    }
  }

  void CheckAdmission(int i) {
    const AdmissionRule& rule = policy_.admission(i);
    const auto fault = [&](const auto&... what) { Fault("admission", i, rule.name(), what...); };
    switch (rule.effect()) {
      case policy::v1::ALLOW:
        if (!rule.reason().empty()) fault("reason: only a DENY has one");
        break;
      case policy::v1::DENY:
        if (rule.has_limit()) fault("limit: only an ALLOW has one");
        if (rule.has_priority()) fault("priority: only an ALLOW has one");
        if (!rule.quota().empty()) fault("quota: only an ALLOW has one");
        if (!rule.class_().empty()) fault("class: only an ALLOW has one");
        break;
      default:
        fault("effect: required; allowed: ALLOW, DENY");
    }
    CheckWho("admission", i, rule.name(), "match.", rule.match(), policy_.role_size());
    if (!rule.class_().empty() && !Has(policy_.class_(), policy_.class__size(), rule.class_())) {
      fault("class: no class is named \"", rule.class_(), "\"");
    }
    for (const std::string& direction : rule.match().direction()) {
      if (direction != "down" && direction != "up") {
        fault("match.direction: \"", direction, "\"; allowed: \"down\", \"up\"");
      }
    }
    CheckLabels("admission", i, rule.name(), "match.experiment", rule.match().experiment());
    CheckLabels("admission", i, rule.name(), "match.purpose", rule.match().purpose());
    if (rule.priority().link_percent() > 100) fault("priority.link_percent: from 1 to 100");
    CheckLimit(i, rule);
    CheckQuotas(i, rule);
  }

  // What is recorded or asked of people must be what they are told.
  void CheckSaid() {
    const auto fault = [&](const auto&... what) {
      faults_.push_back(absl::StrCat(path_, ": ", what...));
    };
    const std::string& basis = policy_.legal_basis();
    const std::string words = basis == kLegitimateInterest ? "legitimate interest" : basis;
    if (!basis.empty() && basis != kLegitimateInterest && basis != kConsent) {
      fault("legal_basis: \"", basis, "\"; allowed: \"", kLegitimateInterest, "\", \"", kConsent,
            "\"");
    } else if (!Says(words)) {
      fault("legal_basis: the notice must say \"", words, "\"");
    }
    if (const uint32_t age = policy_.minimum_age(); age != 0 && !Says(absl::StrCat(age))) {
      fault("minimum_age: the notice must say ", age);
    }
  }

  bool Says(const std::string& words) const {
    return absl::StrContains(absl::AsciiStrToLower(policy_.notice()), absl::AsciiStrToLower(words));
  }

  template <typename Entries>
  static bool Has(const Entries& entries, int first, const std::string& name) {
    return std::any_of(entries.begin(), entries.begin() + first,
                       [&](const auto& entry) { return entry.name() == name; });
  }

  // Identities, addresses, networks and roles, the first `roles` of the file, as rules and roles
  // list them.
  template <typename Who>
  void CheckWho(const char* list, int i, const std::string& name, const char* prefix,
                const Who& who, int roles) {
    const auto fault = [&](const auto&... what) { Fault(list, i, name, prefix, what...); };
    for (const std::string& client : who.client()) {
      if (const auto parsed = IpPrefix::Parse(client); !parsed.ok()) {
        fault("client: ", std::string(parsed.status().message()));
      }
    }
    for (const std::string& identity : who.identity()) {
      const bool certificate =
          identity.starts_with(kCertificate) && identity.size() > sizeof(kCertificate) - 1;
      const bool token =
          identity.starts_with(kToken) && IsLabel(identity.substr(sizeof(kToken) - 1));
      if (identity != "anonymous" && identity != kOperatorIdentity && !certificate && !token) {
        fault("identity: \"", identity,
              "\"; allowed: \"anonymous\", \"operator\", \"certificate:<common name>\", "
              "\"token:<experiment>\"");
      }
    }
    for (const uint32_t asn : who.asn()) {
      if (asn == 0) fault("asn: 0 is no AS number");
    }
    if (!who.asn().empty() && policy_.asn_table().empty()) {
      fault("asn: needs asn_table, the files that say who announces what");
    }
    for (const std::string& role : who.role()) {
      if (!Has(policy_.role(), roles, role))
        fault("role: no role before this is named \"", role, "\"");
    }
  }

  void CheckRole(int i) {
    const policy::v1::Role& role = policy_.role(i);
    CheckWho("role", i, role.name(), "", role, i);
    if (role.identity().empty() && role.client().empty() && role.asn().empty() &&
        role.role().empty()) {
      Fault("role", i, role.name(), "required: who has it: identity, client, asn or role");
    }
    if (!policy::v1::Combine_IsValid(role.of())) {
      Fault("role", i, role.name(), "of: allowed: ANY_OF, ALL_OF, ONE_OF, NONE_OF");
    }
  }

  void CheckClass(int i) {
    const policy::v1::Class& one = policy_.class_(i);
    const policy::v1::Quota& quota = one.quota();
    const auto fault = [&](const auto&... what) { Fault("class", i, one.name(), what...); };
    if (!one.parent().empty() && !Has(policy_.class_(), i, one.parent())) {
      fault("parent: no class before this is named \"", one.parent(), "\"");
    }
    if (quota.scope() != policy::v1::SCOPE_UNSPECIFIED) {
      fault("quota.scope: leave it out: it is counted for the class");
    }
    if (quota.random_times()) fault("quota.random_times: only of a rule's own quota");
    if (quota.average_bps() != 0) fault("quota.average_bps: only a LINK is measured; set rate_bps");
    if (quota.concurrent_sessions() == 0 && quota.rate_bps() == 0 && quota.bytes_a_day() == 0 &&
        quota.tests_a_day() == 0) {
      fault("quota: required: what all its sessions together may use");
    }
  }

  // What is defined and named nowhere decides nothing.
  void CheckUsed() {
    std::set<std::string> roles, classes;
    for (const AdmissionRule& rule : policy_.admission()) {
      roles.insert(rule.match().role().begin(), rule.match().role().end());
      classes.insert(rule.class_());
    }
    for (const policy::v1::Role& role : policy_.role()) {
      roles.insert(role.role().begin(), role.role().end());
    }
    for (const policy::v1::Class& one : policy_.class_()) classes.insert(one.parent());
    const auto check = [&](const auto& entries, const char* list, const auto& used) {
      for (int i = 0; i < entries.size(); ++i) {
        if (used.contains(entries[i].name())) continue;
        findings_.never_reached.push_back(
            absl::StrCat(At(list, i, entries[i].name()), "never reached: nothing names it"));
      }
    };
    check(policy_.role(), "role", roles);
    check(policy_.class_(), "class", classes);
  }

  void CheckQuotas(int i, const AdmissionRule& rule) {
    const auto fault = [&](const auto&... what) { Fault("admission", i, rule.name(), what...); };
    std::set<int> scopes;
    for (const policy::v1::Quota& quota : rule.quota()) {
      if (quota.scope() == policy::v1::SCOPE_UNSPECIFIED ||
          !policy::v1::Scope_IsValid(quota.scope())) {
        fault("quota.scope: required; allowed: IDENTITY, PREFIX, EXPERIMENT, LINK");
      } else if (!scopes.insert(quota.scope()).second) {
        fault("quota.scope: ", policy::v1::Scope_Name(quota.scope()),
              " has a quota already; put all its limits into one");
      }
      if (quota.random_times() && quota.tests_a_day() == 0) {
        fault("quota.random_times: needs tests_a_day, whose mean interval it keeps");
      }
      if (quota.average_bps() != 0 && quota.scope() != policy::v1::LINK) {
        fault("quota.average_bps: only a LINK is measured; set rate_bps or bytes_a_day");
      }
    }
  }

  template <typename List>
  void CheckLabels(const char* list, int i, const std::string& name, const char* field,
                   const List& labels) {
    for (const std::string& label : labels) {
      if (!IsLabel(label)) Fault(list, i, name, field, ": \"", label, "\"; allowed: ", kLabelForm);
    }
  }

  void CheckLimit(int i, const AdmissionRule& rule) {
    const Limit& limit = rule.limit();
    constexpr uint64_t kMaxDurationMs = kMaxDurationNs / 1'000'000;
    if (limit.duration_ms() > kMaxDurationMs) {
      Fault("admission", i, rule.name(), "limit.duration_ms: at most ", kMaxDurationMs,
            " (24 hours)");
    }
    constexpr uint32_t least = wire::kMinUdpPayload;
    if (limit.max_udp_payload_bytes() != 0 && limit.max_udp_payload_bytes() < least) {
      Fault("admission", i, rule.name(),
            "limit.max_udp_payload_bytes: ", limit.max_udp_payload_bytes(),
            " admits nothing; a test packet has ", least, " bytes");
    }
    if (limit.max_udp_payload_bytes() != 0 &&
        limit.min_udp_payload_bytes() > limit.max_udp_payload_bytes()) {
      Fault("admission", i, rule.name(),
            "limit.min_udp_payload_bytes: above max_udp_payload_bytes");
    }
  }

  void CheckExport(int i) {
    const ExportRule& rule = policy_.export_(i);
    const auto fault = [&](const auto&... what) { Fault("export", i, rule.name(), what...); };
    const bool allow = rule.effect() == policy::v1::ALLOW;
    if (!allow && rule.effect() != policy::v1::DENY) {
      fault("effect: required; allowed: ALLOW, DENY");
    } else if (allow) {
      if (rule.address() != "full" && rule.address() != "netblock" && rule.address() != "none") {
        fault("address: \"", rule.address(), "\"; allowed: \"full\", \"netblock\", \"none\"");
      }
      if (rule.release_class() == kResearcherExternal) {
        fault("release_class: \"", kResearcherExternal,
              "\" has no route into this store: such data goes from the tool to its researcher; "
              "allowed: \"public\", \"operator_only\"");
      } else if (rule.release_class() != "public" && rule.release_class() != "operator_only") {
        fault("release_class: \"", rule.release_class(),
              "\"; allowed: \"public\", \"operator_only\"");
      }
    } else if (!rule.address().empty() || !rule.release_class().empty()) {
      fault(rule.address().empty() ? "release_class" : "address", ": only an ALLOW has one");
    } else if (!rule.license().empty()) {
      fault("license: only an ALLOW has one");
    } else if (rule.embargo_days() != 0 || rule.anonymise_days() != 0 || rule.keep_days() != 0) {
      fault(rule.embargo_days() != 0     ? "embargo_days"
            : rule.anonymise_days() != 0 ? "anonymise_days"
                                         : "keep_days",
            ": only an ALLOW has one");
    }
    if (rule.embargo_days() > kMaxEmbargoDays) {
      fault("embargo_days: at most ", kMaxEmbargoDays, ": results are published");
    }
    if (rule.embargo_days() != 0 && rule.release_class() == "operator_only") {
      fault("embargo_days: only a public record is released, so only it has one");
    }
    if (const std::string& license = rule.license(); !license.empty()) {
      if (!IsLabel(license)) fault("license: \"", license, "\"; allowed: ", kLabelForm);
      if (rule.release_class() == "operator_only") fault("license: only a public record has one");
      // "CC0" of "CC0-1.0".
      if (const std::string name = license.substr(0, license.find('-')); !Says(name)) {
        fault("license: the notice must say \"", name, "\"");
      }
    }
    if (rule.anonymise_days() > kMaxAnonymiseDays) {
      fault("anonymise_days: at most ", kMaxAnonymiseDays);
    }
    if (rule.keep_days() > kMaxKeepDays) fault("keep_days: at most ", kMaxKeepDays);
    if (rule.keep_days() != 0 && rule.anonymise_days() > rule.embargo_days() + rule.keep_days()) {
      fault(
          "anonymise_days: after the record is deleted (embargo_days and keep_days); leave it out");
    }
    CheckLabels("export", i, rule.name(), "match.experiment", rule.match().experiment());
    for (const std::string& name : rule.match().admission_rule()) {
      const bool known =
          std::any_of(policy_.admission().begin(), policy_.admission().end(),
                      [&](const AdmissionRule& admission) { return admission.name() == name; });
      if (!known) fault("match.admission_rule: no admission rule is named \"", name, "\"");
    }
  }

  void CheckDisclosure(int i) {
    const policy::v1::DisclosureRule& rule = policy_.disclosure(i);
    const auto check = [&](const char* field, const auto& given, const auto& allowed) {
      if (given.empty()) {
        Fault("disclosure", i, rule.name(), field,
              ": required; allowed: ", absl::StrJoin(allowed, ", "));
      }
      for (const std::string& value : given) {
        if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) continue;
        Fault("disclosure", i, rule.name(), field, ": \"", value,
              "\"; allowed: ", absl::StrJoin(allowed, ", "));
      }
    };
    check("role", rule.role(), kRoleNames);
    check("state", rule.state(), kStateNames);
    check("field", rule.field(), kFieldNames);
  }

  void CheckRecipient(int i) {
    const policy::v1::Recipient& recipient = policy_.recipient(i);
    const std::string& role = recipient.role();
    const bool researcher =
        role.starts_with(kResearcher) && IsLabel(role.substr(sizeof(kResearcher) - 1));
    if (role != "public" && role != "operator" && role != "partner" && !researcher) {
      Fault("recipient", i, recipient.name(), "role: \"", role,
            "\"; allowed: public, operator, partner, researcher:EXPERIMENT");
    }
    if (recipient.purpose().empty()) {
      Fault("recipient", i, recipient.name(), "purpose: required: what the copies are for");
    }
    CheckLabels("recipient", i, recipient.name(), "purpose", recipient.purpose());
  }

  void CheckContact(int i) {
    const policy::v1::ContactStore& contact = policy_.contact(i);
    const auto fault = [&](const auto&... what) { Fault("contact", i, contact.name(), what...); };
    if (!IsLabel(contact.experiment())) fault("experiment: required; allowed: ", kLabelForm);
    for (int j = 0; j < i; ++j) {
      if (policy_.contact(j).experiment() == contact.experiment()) {
        fault("experiment: \"", contact.experiment(), "\" has one already");
      }
    }
    if (!IsSealingKey(contact.public_key())) {
      fault("public_key: required: an X25519 key in base64, as `weir contacts keygen` prints it");
    }
    if (contact.max_bytes() > kMaxContactBytes) fault("max_bytes: at most ", kMaxContactBytes);
    if (contact.keep_days() == 0 || contact.keep_days() > kMaxContactDays) {
      fault("keep_days: required: from 1 to ", kMaxContactDays);
    }
  }

  void CheckHiddenAdmission() {
    CoverFinder finder(&policy_);
    for (int i = 0; i < policy_.admission_size(); ++i) {
      const std::vector<uint32_t> covering = finder.Find(policy_.admission(i));
      finder.Add(static_cast<uint32_t>(i));
      if (covering.empty()) continue;
      std::vector<const AdmissionRule*> rules;
      for (const uint32_t index : covering) {
        rules.push_back(&policy_.admission(static_cast<int>(index)));
      }
      ReportHidden("admission", i, policy_.admission(i), rules);
    }
  }

  void CheckHiddenExport() {
    for (int i = 0; i < policy_.export__size(); ++i) {
      for (int k = 0; k < i; ++k) {
        if (!Covers(policy_.export_(k), policy_.export_(i))) continue;
        ReportHidden("export", i, policy_.export_(i),
                     std::vector<const ExportRule*>{&policy_.export_(k)});
        break;
      }
    }
  }

  template <typename Rule>
  void ReportHidden(const char* list, int i, const Rule& rule,
                    const std::vector<const Rule*>& covering) {
    std::vector<std::string> names;
    for (const Rule* earlier : covering) names.push_back(absl::StrCat("\"", earlier->name(), "\""));
    constexpr size_t kMaxNames = 4;
    if (names.size() > kMaxNames) {
      names[kMaxNames] = absl::StrCat("and ", names.size() - kMaxNames, " more");
      names.resize(kMaxNames + 1);
    }
    const bool one = covering.size() == 1;
    const bool opposite = std::all_of(covering.begin(), covering.end(), [&](const Rule* earlier) {
      return earlier->effect() != rule.effect();
    });
    if (opposite) {
      Fault(list, i, rule.name(), "contradiction: the earlier rule", one ? " " : "s ",
            absl::StrJoin(names, ", "), one ? " decides" : " together decide",
            " the opposite for all it matches; put it first or remove it");
    } else {
      findings_.never_reached.push_back(
          absl::StrCat(At(list, i, rule.name()), "never reached: ", absl::StrJoin(names, ", "),
                       one ? " matches all it matches" : " together match all it matches",
                       "; put it first or remove it"));
    }
  }

  template <typename Rules>
  void ReportDead(const char* list, const Rules& rules, const std::vector<DeadRule>& dead) {
    for (const DeadRule& one : dead) {
      findings_.never_reached.push_back(
          absl::StrCat(At(list, one.index, rules[one.index].name()), one.why));
    }
  }

  template <typename Rules>
  void CheckServed(const Rules& rules, const char* list) {
    for (int i = 0; i < rules.size(); ++i) {
      if (!rules[i].serves().empty()) continue;
      findings_.unserved.push_back(
          absl::StrCat(At(list, i, rules[i].name()),
                       "serves: name the sentence of the terms it exists for, so that whoever "
                       "changes it knows what would be broken"));
    }
  }

  // A finished session without a record would break the promise that results are reported.
  void CheckRecorded(int i) {
    const AdmissionRule& rule = policy_.admission(i);
    if (rule.effect() == policy::v1::ALLOW && !HasExport(policy_, rule)) {
      Fault("admission", i, rule.name(),
            "no export rule allows a record of its sessions; add one, or deny them");
    }
  }

  const std::string& path_;
  const policy::v1::Policy& policy_;
  const google::protobuf::TextFormat::ParseInfoTree& locations_;
};

}  // namespace

absl::StatusOr<PolicyFindings> ValidatePolicy(
    const std::string& path, const policy::v1::Policy& policy,
    const google::protobuf::TextFormat::ParseInfoTree& locations) {
  Validator validator(path, policy, locations);
  validator.Run();
  if (!validator.faults_.empty()) {
    return absl::InvalidArgumentError(absl::StrJoin(validator.faults_, "\n"));
  }
  return std::move(validator.findings_);
}

}  // namespace weir::control
