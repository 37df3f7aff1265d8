// What a node's ports and workers have done since its dataplane started.
#ifndef WEIR_CONTROL_SESSION_ACTIVITY_H_
#define WEIR_CONTROL_SESSION_ACTIVITY_H_

#include "control/dataplane/dataplane.h"
#include "measurement/v1/admin.pb.h"

namespace weir::control {

// A cell without a consistent copy is left out.
void ReadActivity(const PortTable& ports, measurement::v1::NodeActivity* activity);

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_ACTIVITY_H_
