// What every session of this process works with.
#ifndef WEIR_CONTROL_SESSION_NODE_H_
#define WEIR_CONTROL_SESSION_NODE_H_

#include <functional>
#include <memory>

#include "config/v1/config.pb.h"
#include "control/admission/admission.h"
#include "control/collector/calibration.h"
#include "control/dataplane/dataplane.h"
#include "control/metrics/metrics.h"
#include "control/session/flow_lookup.h"
#include "control/session/notices.h"
#include "control/session/remote.h"
#include "control/session/session_table.h"
#include "control/store/contact_store.h"
#include "control/store/store.h"
#include "record/v1/record.pb.h"

namespace weir::control {

// Not owned; all thread-safe and alive as long as any session.
struct Node {
  const config::v1::Config* config = nullptr;
  Admission* admission = nullptr;
  Store* store = nullptr;
  Metrics* metrics = nullptr;
  Dataplane* dataplane = nullptr;
  SessionTable* table = nullptr;
  CalibrationStore* calibration = nullptr;  // May be null.
  FlowLookup* lookup = nullptr;
  Notices* notices = nullptr;
  ContactStore* contacts = nullptr;
  ConnectRemote connect_remote;

  record::v1::ServerIdentity Identity() const {
    record::v1::ServerIdentity identity;
    identity.set_operator_(config->operator_());
    identity.set_contact(config->contact());
    identity.set_node(config->node());
    return identity;
  }
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_NODE_H_
