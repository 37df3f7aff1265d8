#include "control/export/export_policy.h"

#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "control/admission/ip_address.h"

namespace weir::control {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Path of the first message that carries a field its schema does not name; empty if none does.
std::string FindUnknownField(const Message& message, const std::string& path) {
  const Reflection& reflection = *message.GetReflection();
  if (const auto& unknown = reflection.GetUnknownFields(message); !unknown.empty()) {
    return absl::StrCat(path, " (field number ", unknown.field(0).number(), ")");
  }
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const std::string nested = absl::StrCat(path, ".", field->name());
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const Message& child = field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                                  : reflection.GetMessage(message, field);
      if (std::string found = FindUnknownField(child, nested); !found.empty()) return found;
    }
  }
  return "";
}

absl::Status Refused(const record::v1::Record& record, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("record ", record.record_id(), ": ", why));
}

const char* Suffix(record::v1::Direction direction) {
  return direction == record::v1::DOWN ? "-down" : "-up";
}

// What makes a record one of this session, and complete.
absl::Status Check(const AdmittedSession& session, const record::v1::Record& record) {
  if (std::string unknown = FindUnknownField(record, "record"); !unknown.empty()) {
    return Refused(record, absl::StrCat(unknown, ": not a field of the record schema"));
  }
  if (session.session_id.empty() || session.admission_rule.empty() ||
      session.policy_digest.empty()) {
    return Refused(record, "its session was never admitted");
  }
  if (record.session_id() != session.session_id) {
    return Refused(record,
                   absl::StrCat("session_id: of another session than ", session.session_id));
  }
  if (record.direction() != record::v1::DOWN && record.direction() != record::v1::UP) {
    return Refused(record, "direction: required");
  }
  if (record.record_id() != absl::StrCat(session.session_id, Suffix(record.direction()))) {
    return Refused(record, "record_id: must be the session id and the direction");
  }
  if (!record.origin_active()) {
    return Refused(record, "origin_active: passive data has no route into the store");
  }
  if (record.outcome() != record::v1::COMPLETED && record.outcome() != record::v1::ABORTED) {
    return Refused(record, "outcome: required");
  }
  if (record.end_reason().empty()) return Refused(record, "end_reason: required");
  if (!record.has_negotiated_at()) return Refused(record, "negotiated_at: required");
  if (record.server().operator_().empty() || record.server().contact().empty()) {
    return Refused(record, "server: operator and contact are required");
  }
  if (record.has_result() && record.result().direction() != record.direction()) {
    return Refused(record, "result.direction: not the record's");
  }
  return absl::OkStatus();
}

absl::StatusOr<record::v1::Address> Keep(const std::string& mode, const std::string& text) {
  record::v1::Address kept;
  if (mode == "none") {
    kept.set_mode(record::v1::ADDRESS_NONE);
    return kept;
  }
  const auto address = IpAddress::Parse(text);
  if (!address) return absl::InvalidArgumentError("client: its address is not known");
  if (mode == "netblock") {
    kept.set_mode(record::v1::ADDRESS_NETBLOCK);
    kept.set_value(Netblock(*address).ToString());
  } else {
    kept.set_mode(record::v1::ADDRESS_FULL);
    kept.set_value(address->ToString());
  }
  return kept;
}

}  // namespace

absl::StatusOr<ApprovedRecord> ExportPolicy::Approve(const AdmittedSession& session,
                                                     record::v1::Record record) const {
  if (absl::Status status = Check(session, record); !status.ok()) return status;
  const policy::v1::ExportRule* rule =
      policy_->MatchExport(session.experiment, session.admission_rule);
  if (rule == nullptr || rule->effect() != policy::v1::ALLOW) {
    return absl::PermissionDeniedError(
        absl::StrCat("record ", record.record_id(), ": export rule \"",
                     rule == nullptr ? kDefaultDenyRule : rule->name(), "\" withholds it"));
  }
  auto client = Keep(rule->address(), session.client_address);
  if (!client.ok()) return Refused(record, std::string(client.status().message()));
  *record.mutable_client() = *std::move(client);
  record.set_experiment(session.experiment);
  record.set_purpose(session.purpose);
  record.set_admission_rule(session.admission_rule);
  record.set_policy_digest(session.policy_digest);
  record.set_export_rule(rule->name());
  record.set_release_class(rule->release_class() == "public" ? record::v1::PUBLIC
                                                             : record::v1::OPERATOR_ONLY);
  return ApprovedRecord(std::move(record));
}

}  // namespace weir::control
