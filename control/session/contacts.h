// Contact details on their way from a request into their store.
#ifndef WEIR_CONTROL_SESSION_CONTACTS_H_
#define WEIR_CONTROL_SESSION_CONTACTS_H_

#include <optional>
#include <string>

#include "control/admission/policy.h"
#include "control/session/node.h"
#include "measurement/v1/measurement.pb.h"

namespace weir::control {

// Keeps what the request of this session, admitted under `policy`, brought; nothing if it brought
// none. Whoever calls has seen the notice accepted. A rejection's field and message, or nullopt.
struct ContactFault {
  const char* stage;
  const char* rule;
  std::string message;
};
std::optional<ContactFault> KeepContact(const Node& node, const Policy& policy,
                                        const measurement::v1::NegotiateRequest& request,
                                        const std::string& session_id);

// Of the session, or the session of the record, `id`, if it left some.
absl::Status EraseContact(const std::string& id, ContactStore* contacts, Store* store);

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_CONTACTS_H_
