#include "control/admission/policy.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "control/admission/digest.h"
#include "control/admission/label.h"

namespace weir::control {
namespace {

constexpr char kJoin = '+';  // Not part of any rule's name.

record::v1::AddressMode Mode(const std::string& text) {
  return text == "full"       ? record::v1::ADDRESS_FULL
         : text == "netblock" ? record::v1::ADDRESS_NETBLOCK
                              : record::v1::ADDRESS_NONE;
}

record::v1::ReleaseClass Release(const std::string& text) {
  return text == "public" ? record::v1::PUBLIC : record::v1::OPERATOR_ONLY;
}

// Takes the part before the first kJoin off the text.
std::string_view TakeRule(std::string_view* text) {
  const size_t end = std::min(text->find(kJoin), text->size());
  const std::string_view rule = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return rule;
}

// Adds the text to those that are there, once.
void JoinText(const std::string& text, std::string* all) {
  if (text.empty() || text == *all) return;
  const std::vector<std::string> there = absl::StrSplit(*all, kJoin, absl::SkipEmpty());
  if (std::find(there.begin(), there.end(), text) != there.end()) return;
  absl::StrAppend(all, all->empty() ? "" : std::string(1, kJoin), text);
}

template <typename Rules>
std::string Join(const Rules& rules) {
  return absl::StrJoin(rules, std::string(1, kJoin), [](std::string* out, const auto* rule) {
    absl::StrAppend(out, rule->name());
  });
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Policy>> Policy::Parse(const std::string& path,
                                                            const std::string& text) {
  auto layer = PolicyLayer::Parse(path, text);
  if (!layer.ok()) return layer.status();
  return Stack({*std::move(layer)});
}

std::shared_ptr<const Policy> Policy::Stack(
    std::vector<std::shared_ptr<const PolicyLayer>> layers) {
  std::shared_ptr<Policy> policy(new Policy);
  policy->layers_ = std::move(layers);
  std::vector<std::string> profiles, notices;
  std::string digests = "weir-policy-stack-1\n";
  for (const auto& layer : policy->layers_) {
    profiles.push_back(layer->profile());
    const std::string& notice = layer->proto().notice();
    if (!notice.empty() && std::find(notices.begin(), notices.end(), notice) == notices.end()) {
      notices.push_back(notice);
    }
    JoinText(layer->proto().legal_basis(), &policy->legal_basis_);
    absl::StrAppend(&digests, layer->digest(), "\n");
  }
  policy->profile_ = absl::StrJoin(profiles, "+");
  policy->notice_ = absl::StrJoin(notices, "\n\n");
  policy->TellOfContacts();
  if (!policy->notice_.empty()) policy->notice_digest_ = Sha256Digest(policy->notice_);
  policy->digest_ =
      policy->layers_.size() == 1 ? policy->layers_[0]->digest() : Sha256Digest(digests);
  return policy;
}

// Whoever accepts the notice has been told whose key it is.
void Policy::TellOfContacts() {
  for (const std::string& experiment : ContactExperiments()) {
    const std::optional<ContactTerms> terms = Contact(experiment);
    absl::StrAppend(&notice_, notice_.empty() ? "" : "\n\n", "With a test of experiment \"",
                    experiment,
                    "\" you may leave contact details for its researchers; nobody has to. They are "
                    "sealed on your side to the researchers' public key ",
                    terms->key_digest,
                    ", so that the operator of this server cannot read them, kept for at most ",
                    terms->keep_days, " days and not published.");
  }
}

std::vector<std::string> Policy::ContactExperiments() const {
  std::vector<std::string> experiments;
  for (const auto& contact : layers_.front()->proto().contact()) {
    if (Contact(contact.experiment())) experiments.push_back(contact.experiment());
  }
  return experiments;
}

std::optional<ContactTerms> Policy::Contact(std::string_view experiment) const {
  constexpr uint32_t kDefaultContactBytes = 512;
  std::optional<ContactTerms> terms;
  for (const auto& layer : layers_) {
    const auto& all = layer->proto().contact();
    const auto found = std::find_if(
        all.begin(), all.end(), [&](const auto& one) { return one.experiment() == experiment; });
    if (found == all.end()) return std::nullopt;
    std::string key;
    if (!absl::Base64Unescape(found->public_key(), &key)) return std::nullopt;
    const uint32_t max_bytes = found->max_bytes() == 0 ? kDefaultContactBytes : found->max_bytes();
    if (!terms) {
      terms = ContactTerms{.rule = found->name(),
                           .public_key = key,
                           .key_digest = Sha256Digest(key),
                           .max_bytes = max_bytes,
                           .keep_days = found->keep_days()};
      continue;
    }
    if (key != terms->public_key) return std::nullopt;
    absl::StrAppend(&terms->rule, std::string(1, kJoin), found->name());
    terms->max_bytes = std::min(terms->max_bytes, max_bytes);
    terms->keep_days = std::min(terms->keep_days, found->keep_days());
  }
  return terms;
}

std::vector<Holder> Policy::holders() const {
  std::vector<Holder> all;
  for (const auto& recipient : layers_.front()->proto().recipient()) {
    const auto agrees = [&](const auto& layer) {
      const auto& list = layer->proto().recipient();
      return std::any_of(list.begin(), list.end(), [&](const auto& one) {
        return one.name() == recipient.name() && one.role() == recipient.role();
      });
    };
    if (std::all_of(layers_.begin(), layers_.end(), agrees)) {
      all.push_back({.recipient = recipient.name(), .role = recipient.role()});
    }
  }
  return all;
}

std::vector<std::string> Policy::warnings() const {
  std::vector<std::string> all;
  for (const auto& layer : layers_) {
    all.insert(all.end(), layer->warnings().begin(), layer->warnings().end());
  }
  return all;
}

std::vector<const policy::v1::AdmissionRule*> Policy::MatchAdmission(
    const AdmissionSubject& subject) const {
  std::vector<const policy::v1::AdmissionRule*> rules;
  rules.reserve(layers_.size());
  for (const auto& layer : layers_) rules.push_back(layer->MatchAdmission(subject));
  return rules;
}

ExportVerdict Policy::MatchExport(std::string_view experiment,
                                  std::string_view admission_rules) const {
  ExportVerdict verdict{
      .allowed = true, .address = record::v1::ADDRESS_FULL, .release_class = record::v1::PUBLIC};
  for (const auto& layer : layers_) {
    const policy::v1::ExportRule* rule = layer->MatchExport(experiment, TakeRule(&admission_rules));
    verdict.rules.push_back(rule);
    if (rule == nullptr || rule->effect() != policy::v1::ALLOW) {
      if (verdict.allowed) {
        verdict.rule = rule == nullptr ? kDefaultDenyRule : rule->name();
        verdict.profile = layer->profile();
      }
      verdict.allowed = false;
      continue;
    }
    // Both enumerations rise with strictness.
    verdict.address = std::max(verdict.address, Mode(rule->address()));
    verdict.release_class = std::max(verdict.release_class, Release(rule->release_class()));
    JoinText(rule->license(), &verdict.license);
    verdict.embargo_days = std::max(verdict.embargo_days, rule->embargo_days());
    if (verdict.anonymise_days == 0 ||
        (rule->anonymise_days() != 0 && rule->anonymise_days() < verdict.anonymise_days)) {
      verdict.anonymise_days = rule->anonymise_days();
    }
    if (verdict.keep_days == 0 ||
        (rule->keep_days() != 0 && rule->keep_days() < verdict.keep_days)) {
      verdict.keep_days = rule->keep_days();
    }
  }
  if (verdict.allowed) {
    verdict.rule = Join(verdict.rules);
  } else {
    verdict.address = record::v1::ADDRESS_NONE;
    verdict.release_class = record::v1::OPERATOR_ONLY;
  }
  if (verdict.release_class != record::v1::PUBLIC) verdict.license.clear();
  return verdict;
}

absl::StatusOr<std::string> Policy::RecipientRole(std::string_view recipient,
                                                  std::string_view purpose) const {
  std::optional<std::string> role;
  for (const auto& layer : layers_) {
    const auto& all = layer->proto().recipient();
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const auto& one) { return one.name() == recipient; });
    if (found == all.end()) {
      return absl::NotFoundError(absl::StrCat("recipient \"", std::string(recipient),
                                              "\" is not declared in ", layer->path()));
    }
    const auto& purposes = found->purpose();
    if (std::find(purposes.begin(), purposes.end(), purpose) == purposes.end()) {
      return absl::NotFoundError(absl::StrCat("purpose \"", std::string(purpose),
                                              "\" is not declared for recipient \"",
                                              std::string(recipient), "\" in ", layer->path()));
    }
    if (role && *role != found->role()) {
      return absl::NotFoundError(absl::StrCat("recipient \"", std::string(recipient),
                                              "\" has another role in ", layer->path()));
    }
    role = found->role();
  }
  return *role;
}

uint32_t Policy::report_min_clients() const {
  constexpr uint32_t kDefault = 5;
  uint32_t most = 0;
  for (const auto& layer : layers_) most = std::max(most, layer->proto().report_min_clients());
  return most == 0 ? kDefault : most;
}

bool Policy::HasDisclosure() const {
  return std::any_of(layers_.begin(), layers_.end(),
                     [](const auto& layer) { return !layer->proto().disclosure().empty(); });
}

bool Policy::Discloses(std::string_view role, std::string_view state,
                       std::string_view field) const {
  const auto holds = [](const auto& list, std::string_view value) {
    return std::find(list.begin(), list.end(), value) != list.end();
  };
  return std::all_of(layers_.begin(), layers_.end(), [&](const auto& layer) {
    const auto& rules = layer->proto().disclosure();
    return rules.empty() || std::any_of(rules.begin(), rules.end(), [&](const auto& rule) {
             return holds(rule.role(), role) && holds(rule.state(), state) &&
                    holds(rule.field(), field);
           });
  });
}

std::string JoinRules(const std::vector<const policy::v1::AdmissionRule*>& rules) {
  return Join(rules);
}

bool IsRuleList(std::string_view text) {
  if (text.empty() || text.back() == kJoin) return false;
  while (!text.empty()) {
    if (!IsLabel(TakeRule(&text))) return false;
  }
  return true;
}

absl::StatusOr<std::shared_ptr<const Policy>> LoadPolicy(const std::vector<std::string>& paths) {
  std::vector<std::shared_ptr<const PolicyLayer>> layers;
  std::vector<std::string> faults;
  for (const std::string& path : paths) {
    auto layer = PolicyLayer::Load(path);
    if (layer.ok()) {
      layers.push_back(*std::move(layer));
    } else if (absl::IsInvalidArgument(layer.status())) {
      faults.emplace_back(layer.status().message());
    } else {
      return layer.status();
    }
  }
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  if (layers.empty()) return absl::InvalidArgumentError("no policy file is named");
  return Policy::Stack(std::move(layers));
}

}  // namespace weir::control
