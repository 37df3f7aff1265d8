// What the node's services speak for.
#ifndef WEIR_CONTROL_API_SERVED_H_
#define WEIR_CONTROL_API_SERVED_H_

#include "control/admission/admission.h"
#include "control/admission/policy_reloader.h"
#include "control/metrics/metrics.h"
#include "control/session/manager.h"
#include "control/store/contact_store.h"
#include "control/store/store.h"

namespace weir::control {

// Not owned; all thread-safe, and must outlive the services.
struct Served {
  SessionManager* manager = nullptr;
  Store* store = nullptr;
  ContactStore* contacts = nullptr;
  PolicyReloader* policy = nullptr;
  const Admission* admission = nullptr;
  Metrics* metrics = nullptr;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_SERVED_H_
