#include "control/api/contact_view.h"

#include "absl/strings/str_cat.h"
#include "control/admission/label.h"
#include "control/session/session.h"

namespace weir::control {

absl::Status ContactView::List(const measurement::v1::ListContactsRequest& request,
                               measurement::v1::ListContactsReply* reply) const {
  if (!request.experiment().empty() && !IsLabel(request.experiment())) {
    return absl::InvalidArgumentError(absl::StrCat("experiment: allowed: ", kLabelForm));
  }
  const auto rows = contacts_->List(request.experiment(), request.with_sealed());
  if (!rows.ok()) return rows.status();
  absl::Status audited =
      store_->AuditNow({.event = request.with_sealed() ? "contacts_read" : "contacts_listed",
                        .detail = request.experiment().empty()
                                      ? "of all experiments"
                                      : absl::StrCat("of experiment ", request.experiment()),
                        .count = static_cast<int64_t>(rows->size())});
  if (!audited.ok()) return audited;
  for (const ContactRow& row : *rows) {
    measurement::v1::SealedContact* contact = reply->add_contacts();
    contact->set_session_id(row.session_id);
    contact->set_experiment(row.experiment);
    contact->set_key_digest(row.key_digest);
    contact->set_stored_at(FormatTime(static_cast<uint64_t>(row.stored_unix_ns)));
    contact->set_delete_due(FormatTime(static_cast<uint64_t>(row.delete_due_ns)));
    contact->set_sealed_bytes(row.sealed_bytes);
    contact->set_sealed(row.sealed);
  }
  return absl::OkStatus();
}

}  // namespace weir::control
