#include "control/api/record_view.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/admission/screening.h"
#include "control/export/disclosure.h"
#include "control/session/contacts.h"
#include "control/session/session.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

constexpr size_t kMaxReasonBytes = 512;

Fields Visible(const Policy& policy, const Reader& reader, const StoredRecord& stored) {
  const auto of = [&](Role role) {
    return Disclose(policy, role, stored.standing.state, stored.record.release_class());
  };
  return of(Role::kOperator) & of(reader.RoleTowards(stored.record));
}

void Fill(const RecordStanding& standing, ms::RecordStanding* out) {
  out->set_record_id(standing.record_id);
  out->set_state(standing.state);
  if (standing.release_due_ns != 0) {
    out->set_release_due(FormatTime(static_cast<uint64_t>(standing.release_due_ns)));
  }
  if (standing.anonymise_due_ns != 0) {
    out->set_anonymise_due(FormatTime(static_cast<uint64_t>(standing.anonymise_due_ns)));
  }
  out->set_address_erased(standing.erased);
  if (standing.delete_due_ns != 0) {
    out->set_delete_due(FormatTime(static_cast<uint64_t>(standing.delete_due_ns)));
  }
}

void Fill(const RecordChange& change, ms::ChangeRecordReply* reply) {
  for (const RecordStanding& standing : change.changed) Fill(standing, reply->add_changed());
  for (const RecordStanding& standing : change.unchanged) Fill(standing, reply->add_unchanged());
}

// "all that was asked of" for the log, which has no room for a list of names.
std::string Range(const std::string& first, const std::string& last) {
  return first == last ? first : absl::StrCat(last, " to ", first);
}

// It goes into the audit log for good.
absl::Status CheckReason(const char* field, const std::string& text) {
  if (text.size() > kMaxReasonBytes) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": at most ", kMaxReasonBytes, " bytes"));
  }
  if (const char* shape = FindPersonalShape(text)) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": has the shape of ", shape,
        "; it is kept in the audit log for good, so say how, and leave out whose and what"));
  }
  return absl::OkStatus();
}

std::string ReaderName(const std::string& as_role) {
  return as_role.empty() ? "operator" : as_role;
}

}  // namespace

absl::Status RecordView::List(const ms::ListRecordsRequest& request,
                              ms::ListRecordsReply* reply) const {
  const absl::StatusOr<Reader> reader = Reader::Parse(request.as_role());
  if (!reader.ok()) return reader.status();
  absl::StatusOr<std::vector<StoredRecord>> records =
      store_->ListRecords(request.limit(), request.before_id());
  if (!records.ok()) return records.status();
  const std::shared_ptr<const Policy> policy = admission_->policy();
  std::vector<std::string> addresses;
  for (StoredRecord& stored : *records) {
    const Fields fields = Visible(*policy, *reader, stored);
    if (!fields.Has(Field::kOutline)) {
      reply->set_withheld(reply->withheld() + 1);
      continue;
    }
    if (fields.Has(Field::kClient) && IsUnreleasedAddress(stored.record, stored.standing.state)) {
      addresses.push_back(stored.standing.record_id);
    }
    ms::RecordStanding* standing = reply->add_standings();
    Fill(stored.standing, standing);
    for (std::string& name : Withheld(fields)) *standing->add_withheld() = std::move(name);
    Redact(fields, &stored.record);
    *reply->add_records() = std::move(stored.record);
  }
  const uint32_t asked = request.limit() == 0 ? 100 : std::min(request.limit(), uint32_t{1000});
  if (records->size() == asked) reply->set_next_before_id(records->back().standing.record_id);
  if (reply->withheld() != 0) {
    store_->Audit({.event = "records_withheld",
                   .detail = absl::StrCat("list, as ", ReaderName(request.as_role())),
                   .count = reply->withheld()});
  }
  if (addresses.empty()) return absl::OkStatus();
  return store_->AuditNow({.event = "address_read",
                           .detail = absl::StrCat("list, as ", ReaderName(request.as_role()), ": ",
                                                  Range(addresses.front(), addresses.back())),
                           .count = static_cast<int64_t>(addresses.size())});
}

absl::Status RecordView::Get(const ms::GetRecordRequest& request, ms::GetRecordReply* reply) const {
  const absl::StatusOr<Reader> reader = Reader::Parse(request.as_role());
  if (!reader.ok()) return reader.status();
  absl::StatusOr<StoredRecord> stored = store_->FindRecord(request.record_id());
  if (!stored.ok()) return stored.status();
  const Fields fields = Visible(*admission_->policy(), *reader, *stored);
  const std::string detail =
      absl::StrCat(stored->standing.record_id, ", as ", ReaderName(request.as_role()));
  if (!fields.Has(Field::kOutline)) {
    store_->Audit(
        {.event = "records_withheld", .detail = detail, .session_id = stored->standing.session_id});
    return absl::PermissionDeniedError(absl::StrCat(
        request.record_id(), ": ", record::v1::ReleaseState_Name(stored->standing.state),
        ", class ", record::v1::ReleaseClass_Name(stored->record.release_class()),
        ": the policy lets ", ReaderName(request.as_role()), " read nothing of it"));
  }
  if (fields.Has(Field::kClient) && IsUnreleasedAddress(stored->record, stored->standing.state)) {
    absl::Status status = store_->AuditNow(
        {.event = "address_read", .detail = detail, .session_id = stored->standing.session_id});
    if (!status.ok()) return status;
  }
  Fill(stored->standing, reply->mutable_standing());
  for (std::string& name : Withheld(fields)) {
    *reply->mutable_standing()->add_withheld() = std::move(name);
  }
  Redact(fields, &stored->record);
  *reply->mutable_record() = std::move(stored->record);
  return absl::OkStatus();
}

absl::Status RecordView::Release(const ms::ReleaseRecordRequest& request,
                                 ms::ChangeRecordReply* reply) const {
  if (absl::Status status = CheckReason("reason", request.reason()); !status.ok()) return status;
  const absl::StatusOr<RecordChange> change = store_->ReleaseRecord(
      request.id(), request.reason().empty() ? "by the operator"
                                             : absl::StrCat("by the operator: ", request.reason()));
  if (change.ok()) Fill(*change, reply);
  return change.status();
}

absl::Status RecordView::Anonymise(const ms::AnonymiseRecordRequest& request,
                                   ms::ChangeRecordReply* reply) const {
  for (const auto& [field, text] :
       {std::pair("reason", &request.reason()), std::pair("proof", &request.proof())}) {
    if (absl::Status status = CheckReason(field, *text); !status.ok()) return status;
  }
  std::string why = request.proof().empty()
                        ? "by the operator"
                        : absl::StrCat("on request, shown by ", request.proof());
  if (!request.reason().empty()) absl::StrAppend(&why, ": ", request.reason());
  if (contacts_ != nullptr) {
    absl::Status erased = EraseContact(request.id(), contacts_, store_);
    if (!erased.ok()) return erased;
  }
  const absl::StatusOr<RecordChange> change = store_->AnonymiseRecord(request.id(), why);
  if (change.ok()) Fill(*change, reply);
  return change.status();
}

}  // namespace weir::control
