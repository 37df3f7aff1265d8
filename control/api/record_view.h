// Stored records as the policy in force lets somebody read them.
#ifndef WEIR_CONTROL_API_RECORD_VIEW_H_
#define WEIR_CONTROL_API_RECORD_VIEW_H_

#include <string>

#include "absl/status/status.h"
#include "control/admission/admission.h"
#include "control/store/contact_store.h"
#include "control/store/store.h"
#include "measurement/v1/admin.pb.h"

namespace weir::control {

// The admin socket's caller is the operator, and may ask to see no more than somebody else would.
// Every reading of an unreleased address, and every refusal, is in the audit log before the
// answer is given; without its row there is no answer. Thread-safe.
class RecordView {
 public:
  // `contacts` may be null: then there are none to erase.
  RecordView(const Admission* admission, Store* store, ContactStore* contacts = nullptr)
      : admission_(admission), store_(store), contacts_(contacts) {}

  absl::Status List(const measurement::v1::ListRecordsRequest& request,
                    measurement::v1::ListRecordsReply* reply) const;
  // PermissionDenied if nothing of it may be seen.
  absl::Status Get(const measurement::v1::GetRecordRequest& request,
                   measurement::v1::GetRecordReply* reply) const;

  absl::Status Release(const measurement::v1::ReleaseRecordRequest& request,
                       measurement::v1::ChangeRecordReply* reply) const;
  // What contact details came with the session go as well.
  absl::Status Anonymise(const measurement::v1::AnonymiseRecordRequest& request,
                         measurement::v1::ChangeRecordReply* reply) const;

 private:
  const Admission* const admission_;
  Store* const store_;
  ContactStore* const contacts_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_RECORD_VIEW_H_
