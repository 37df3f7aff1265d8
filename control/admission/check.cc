#include "control/admission/check.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "control/admission/built_in_rules.h"
#include "control/admission/digest.h"
#include "control/admission/policy_layer.h"

namespace weir::control {
namespace {

const char* Name(policy::v1::Effect effect) {
  return effect == policy::v1::ALLOW ? "allow" : "deny";
}

template <typename List>
void AddList(const char* name, const List& values, std::vector<std::string>* parts) {
  if (!values.empty()) parts->push_back(absl::StrCat(name, " ", absl::StrJoin(values, "|")));
}

std::string QuotaText(const policy::v1::Quota& quota) {
  std::string text;
  const auto add = [&](const char* name, auto value) {
    if (value != 0) absl::StrAppend(&text, " ", name, "<=", value);
  };
  add("concurrent_sessions", quota.concurrent_sessions());
  add("rate_bps", quota.rate_bps());
  add("bytes_a_day", quota.bytes_a_day());
  add("tests_a_day", quota.tests_a_day());
  add("average_bps", quota.average_bps());
  if (quota.random_times()) absl::StrAppend(&text, " at random times");
  return text;
}

std::string Describe(const policy::v1::Quota& quota) {
  return absl::StrCat("each ", policy::v1::Scope_Name(quota.scope()), ":", QuotaText(quota));
}

std::string Describe(const policy::v1::Role& role) {
  std::vector<std::string> parts;
  AddList("identity", role.identity(), &parts);
  AddList("client", role.client(), &parts);
  AddList("asn", role.asn(), &parts);
  AddList("role", role.role(), &parts);
  return absl::StrCat(policy::v1::Combine_Name(role.of()), " ", absl::StrJoin(parts, ", "));
}

std::string Describe(const policy::v1::Class& one) {
  return absl::StrCat(one.parent().empty() ? "root" : absl::StrCat("in ", one.parent()),
                      ", all together:", QuotaText(one.quota()));
}

std::string Describe(const policy::v1::AdmissionRule& rule) {
  std::vector<std::string> parts;
  AddList("client", rule.match().client(), &parts);
  AddList("identity", rule.match().identity(), &parts);
  AddList("experiment", rule.match().experiment(), &parts);
  AddList("direction", rule.match().direction(), &parts);
  AddList("purpose", rule.match().purpose(), &parts);
  AddList("asn", rule.match().asn(), &parts);
  AddList("role", rule.match().role(), &parts);
  if (parts.empty()) parts.push_back("everybody");
  const policy::v1::Limit& limit = rule.limit();
  std::vector<std::string> limits;
  const auto add = [&](const char* text, auto value) {
    if (value != 0) limits.push_back(absl::StrCat(text, value));
  };
  add("rate_bps<=", limit.rate_bps());
  add("duration_ms<=", limit.duration_ms());
  add("streams<=", limit.streams());
  add("concurrent_sessions<=", limit.concurrent_sessions());
  add("udp_payload>=", limit.min_udp_payload_bytes());
  add("udp_payload<=", limit.max_udp_payload_bytes());
  if (limit.allow_rate_max()) limits.push_back("rate max allowed");
  for (const policy::v1::Quota& quota : rule.quota()) limits.push_back(Describe(quota));
  if (!rule.class_().empty()) limits.push_back(absl::StrCat("in class ", rule.class_()));
  if (rule.priority().link_percent() != 0) {
    limits.push_back(absl::StrCat("within ", rule.priority().link_percent(), " % of the link"));
  }
  std::string text = absl::StrJoin(parts, ", ");
  if (!limits.empty()) absl::StrAppend(&text, "; ", absl::StrJoin(limits, ", "));
  return text;
}

std::string Describe(const policy::v1::ExportRule& rule) {
  std::vector<std::string> parts;
  AddList("experiment", rule.match().experiment(), &parts);
  AddList("admission_rule", rule.match().admission_rule(), &parts);
  if (parts.empty()) parts.push_back("every record");
  if (rule.effect() == policy::v1::ALLOW) {
    parts.push_back(absl::StrCat("address ", rule.address(), ", ", rule.release_class()));
    if (rule.release_class() == "public") {
      parts.push_back(rule.embargo_days() == 0
                          ? "released at once"
                          : absl::StrCat("released after ", rule.embargo_days(), " days"));
    }
    if (!rule.license().empty()) parts.push_back(rule.license());
    if (rule.anonymise_days() != 0) {
      parts.push_back(absl::StrCat("address erased after ", rule.anonymise_days(), " days"));
    }
    parts.push_back(
        rule.keep_days() == 0
            ? "kept for good"
            : absl::StrCat("deleted ", rule.keep_days(), " days after ",
                           rule.release_class() == "public" ? "its release" : "its test",
                           ", once every recipient has it"));
  }
  return absl::StrJoin(parts, ", ");
}

std::string Describe(const policy::v1::DisclosureRule& rule) {
  return absl::StrCat(absl::StrJoin(rule.role(), "|"), " reads ", absl::StrJoin(rule.field(), "|"),
                      " of ", absl::StrJoin(rule.state(), "|"));
}

std::string Describe(const policy::v1::Recipient& recipient) {
  return absl::StrCat(recipient.role(), ", for ", absl::StrJoin(recipient.purpose(), "|"));
}

std::string Describe(const policy::v1::ContactStore& contact) {
  return absl::StrCat("experiment ", contact.experiment(), ", sealed to ", contact.public_key(),
                      ", deleted after ", contact.keep_days(), " days");
}

const char* Effect(const policy::v1::ContactStore&) { return "allow"; }
const char* Effect(const policy::v1::DisclosureRule&) { return "allow"; }
const char* Effect(const policy::v1::Role&) { return ""; }
const char* Effect(const policy::v1::Class&) { return ""; }
const char* Effect(const policy::v1::Recipient&) { return "allow"; }
template <typename Rule>
const char* Effect(const Rule& rule) {
  return Name(rule.effect());
}

// What rules refer to.
template <typename Definitions>
int PrintAll(const char* title, const Definitions& rules, std::ostream& out) {
  out << "  " << title << "\n";
  int number = 0;
  for (const auto& rule : rules) {
    out << absl::StrFormat("    %2d %-5s %-24s %s\n", ++number, Effect(rule), rule.name(),
                           Describe(rule));
    for (const policy::v1::Sentence& sentence : rule.serves()) {
      out << absl::StrFormat("             serves %s: \"%s\"\n", sentence.document(),
                             sentence.text());
    }
  }
  return number;
}

template <typename Rules>
void PrintRules(const char* title, const Rules& rules, std::ostream& out) {
  int number = PrintAll(title, rules, out);
  out << absl::StrFormat("    %2d %-5s %-24s %s\n", ++number, "deny", kDefaultDenyRule,
                         "everything else");
}

bool IsSound(const PolicyLayer& policy) {
  return policy.warnings().empty() && policy.unserved().empty();
}

std::string Quote(const std::string& text) {
  google::protobuf::StringValue value;
  value.set_value(text);
  std::string json;
  // Cannot fail for a string; a well-known type's JSON is its value.
  if (!google::protobuf::util::MessageToJsonString(value, &json).ok()) return "\"\"";
  return json;
}

std::string QuoteAll(const std::vector<std::string>& texts) {
  return absl::StrCat("[",
                      absl::StrJoin(texts, ",",
                                    [](std::string* out, const std::string& text) {
                                      absl::StrAppend(out, Quote(text));
                                    }),
                      "]");
}

std::string ToJson(const std::string& file, const PolicyLayer& policy) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string rules;
  const std::string& notice = policy.proto().notice();
  if (!google::protobuf::util::MessageToJsonString(policy.proto(), &rules, options).ok()) {
    rules = "{}";
  }
  return absl::StrCat("{\"file\":", Quote(file), ",\"ok\":", IsSound(policy) ? "true" : "false",
                      ",\"digest\":", Quote(policy.digest()),
                      ",\"notice_digest\":", Quote(notice.empty() ? notice : Sha256Digest(notice)),
                      ",\"warnings\":", QuoteAll(policy.warnings()),
                      ",\"unserved\":", QuoteAll(policy.unserved()),
                      ",\"errors\":[],\"policy\":", rules, "}");
}

std::string ToJson(const std::string& file, const absl::Status& status) {
  const std::vector<std::string> errors = absl::StrSplit(std::string(status.message()), '\n');
  return absl::StrCat("{\"file\":", Quote(file),
                      ",\"ok\":false,\"warnings\":[],\"errors\":", QuoteAll(errors), "}");
}

}  // namespace

int CheckPolicies(const std::vector<std::string>& files, bool json, std::ostream& out,
                  std::ostream& err) {
  bool sound = true;
  std::vector<std::string> documents;
  for (const std::string& file : files) {
    const auto policy = PolicyLayer::Load(file);
    sound &= policy.ok() && IsSound(**policy);
    if (json) {
      documents.push_back(policy.ok() ? ToJson(file, **policy) : ToJson(file, policy.status()));
    } else if (!policy.ok()) {
      err << std::string(policy.status().message()) << "\n";
    } else {
      out << file << ": profile " << (*policy)->profile() << ", " << (*policy)->digest() << "\n";
      const policy::v1::Policy& proto = (*policy)->proto();
      if (!proto.role().empty()) PrintAll("role", proto.role(), out);
      if (!proto.class_().empty()) PrintAll("class", proto.class_(), out);
      PrintRules("admission", proto.admission(), out);
      PrintRules("export", (*policy)->proto().export_(), out);
      if (!(*policy)->proto().disclosure().empty()) {
        PrintRules("disclosure", (*policy)->proto().disclosure(), out);
      }
      if (!(*policy)->proto().recipient().empty()) {
        PrintRules("recipient", (*policy)->proto().recipient(), out);
      }
      if (!(*policy)->proto().contact().empty()) {
        PrintRules("contact", (*policy)->proto().contact(), out);
      }
      for (const std::string& warning : (*policy)->warnings()) err << warning << "\n";
      for (const std::string& finding : (*policy)->unserved()) err << finding << "\n";
    }
  }
  if (json) out << "{\"policies\":[" << absl::StrJoin(documents, ",") << "]}\n";
  return sound ? 0 : 2;
}

}  // namespace weir::control
