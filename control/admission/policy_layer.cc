#include "control/admission/policy_layer.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/admission/digest.h"
#include "control/admission/policy_validator.h"
#include "control/config/text_proto.h"

namespace weir::control {
namespace {

using policy::v1::AdmissionRule;

// A hundred thousand rules of one prefix each have some 15 MB of text.
constexpr size_t kMaxPolicyBytes = size_t{32} << 20;

template <typename List>
bool Holds(const List& list, std::string_view value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

bool DirectionsHold(const AdmissionRule& rule, const AdmissionSubject& subject) {
  const auto& listed = rule.match().direction();
  if (listed.empty()) return true;
  const auto in_rule = [&](const std::string& direction) { return Holds(listed, direction); };
  return rule.effect() == policy::v1::DENY
             ? std::any_of(subject.directions.begin(), subject.directions.end(), in_rule)
             : std::all_of(subject.directions.begin(), subject.directions.end(), in_rule);
}

// Everything but the client's address.
const char* LabelMismatch(const AdmissionRule& rule, const AdmissionSubject& subject,
                          const Identified& who) {
  const policy::v1::Match& match = rule.match();
  if (!Holds(match.identity(), subject.identity)) return "match.identity";
  const auto& asns = match.asn();
  if (!asns.empty() &&
      std::none_of(asns.begin(), asns.end(), [&](uint32_t asn) { return IsOf(who.origin, asn); })) {
    return "match.asn";
  }
  const auto& roles = match.role();
  if (!roles.empty() && std::none_of(who.roles.begin(), who.roles.end(),
                                     [&](const auto& role) { return Holds(roles, role); })) {
    return "match.role";
  }
  if (!Holds(match.experiment(), subject.experiment)) return "match.experiment";
  if (!Holds(match.purpose(), subject.purpose)) return "match.purpose";
  if (!DirectionsHold(rule, subject)) return "match.direction";
  return nullptr;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const PolicyLayer>> PolicyLayer::Parse(const std::string& path,
                                                                      const std::string& text) {
  std::shared_ptr<PolicyLayer> layer(new PolicyLayer);
  layer->path_ = path;
  google::protobuf::TextFormat::ParseInfoTree locations;
  if (absl::Status status = ParseTextProto(path, text, &layer->proto_, &locations); !status.ok()) {
    return status;
  }
  auto findings = ValidatePolicy(path, layer->proto_, locations);
  if (!findings.ok()) return findings.status();
  layer->warnings_ = std::move(findings->never_reached);
  layer->unserved_ = std::move(findings->unserved);
  layer->digest_ = Sha256Digest(text);
  if (absl::Status status = layer->LoadAsnTable(); !status.ok()) return status;
  layer->roles_.emplace(&layer->proto_);
  layer->IndexClients();
  return layer;
}

absl::StatusOr<std::shared_ptr<const PolicyLayer>> PolicyLayer::Load(const std::string& path) {
  const auto text = ReadTextFile(path, kMaxPolicyBytes);
  if (!text.ok()) return text.status();
  return Parse(path, *text);
}

absl::Status PolicyLayer::LoadAsnTable() {
  if (proto_.asn_table().empty()) return absl::OkStatus();
  std::string digests = absl::StrCat("weir-policy-asn-table-1\n", digest_, "\n");
  for (const std::string& name : proto_.asn_table()) {
    const std::filesystem::path file = std::filesystem::path(path_).parent_path() / name;
    const auto text = ReadTextFile(file, AsnTable::kMaxFileBytes);
    if (!text.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ": asn_table: ", std::string(text.status().message())));
    }
    if (absl::Status status = asn_table_.Add(file, *text); !status.ok()) return status;
    absl::StrAppend(&digests, Sha256Digest(*text), "\n");
  }
  digest_ = Sha256Digest(digests);
  return absl::OkStatus();
}

Identified PolicyLayer::Identify(const std::string& identity, const IpAddress& client) const {
  Identified who;
  who.origin = asn_table_.Find({client, client.bits()});
  if (!proto_.role().empty()) who.roles = roles_->Of(identity, client, who.origin);
  return who;
}

const policy::v1::Class* PolicyLayer::FindClass(const std::string& name) const {
  const auto found = std::find_if(proto_.class_().begin(), proto_.class_().end(),
                                  [&](const auto& one) { return one.name() == name; });
  return found == proto_.class_().end() ? nullptr : &*found;
}

std::vector<const policy::v1::Class*> PolicyLayer::ClassesOf(const AdmissionRule& rule) const {
  std::vector<const policy::v1::Class*> path;
  for (const auto* at = FindClass(rule.class_()); at != nullptr; at = FindClass(at->parent())) {
    path.push_back(at);
  }
  return path;
}

void PolicyLayer::IndexClients() {
  for (int i = 0; i < proto_.admission_size(); ++i) {
    const auto& clients = proto_.admission(i).match().client();
    const auto index = static_cast<uint32_t>(i);
    if (clients.empty()) any_client_.push_back(index);
    for (const std::string& client : clients) clients_.Insert(*IpPrefix::Parse(client), index);
  }
}

const AdmissionRule* PolicyLayer::MatchAdmission(const AdmissionSubject& subject) const {
  const Identified who = Identify(subject.identity, subject.client);
  uint32_t first = static_cast<uint32_t>(proto_.admission_size());
  const auto consider = [&](uint32_t index) {
    if (index >= first) return;
    if (LabelMismatch(proto_.admission(static_cast<int>(index)), subject, who) == nullptr) {
      first = index;
    }
  };
  clients_.Lookup(subject.client, consider);
  for (const uint32_t index : any_client_) {
    if (index >= first) break;
    consider(index);
  }
  return first == static_cast<uint32_t>(proto_.admission_size())
             ? nullptr
             : &proto_.admission(static_cast<int>(first));
}

const char* PolicyLayer::Mismatch(const AdmissionRule& rule,
                                  const AdmissionSubject& subject) const {
  const auto& clients = rule.match().client();
  const bool client =
      clients.empty() || std::any_of(clients.begin(), clients.end(), [&](const std::string& text) {
        return IpPrefix::Parse(text)->Contains(subject.client);
      });
  if (!client) return "match.client";
  return LabelMismatch(rule, subject, Identify(subject.identity, subject.client));
}

const policy::v1::ExportRule* PolicyLayer::MatchExport(std::string_view experiment,
                                                       std::string_view admission_rule) const {
  for (const policy::v1::ExportRule& rule : proto_.export_()) {
    if (Holds(rule.match().experiment(), experiment) &&
        Holds(rule.match().admission_rule(), admission_rule)) {
      return &rule;
    }
  }
  return nullptr;
}

}  // namespace weir::control
