// Sealed contact details as the operator may have them.
#ifndef WEIR_CONTROL_API_CONTACT_VIEW_H_
#define WEIR_CONTROL_API_CONTACT_VIEW_H_

#include "absl/status/status.h"
#include "control/store/contact_store.h"
#include "control/store/store.h"
#include "measurement/v1/admin.pb.h"

namespace weir::control {

// Every answer that holds sealed details is in the audit log before it is given; without its row
// there is no answer. Thread-safe.
class ContactView {
 public:
  ContactView(ContactStore* contacts, Store* store) : contacts_(contacts), store_(store) {}

  absl::Status List(const measurement::v1::ListContactsRequest& request,
                    measurement::v1::ListContactsReply* reply) const;

 private:
  ContactStore* const contacts_;
  Store* const store_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_CONTACT_VIEW_H_
