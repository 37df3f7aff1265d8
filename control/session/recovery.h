// Ends the sessions a former weir-control left unfinished, and the flows nobody owns.
#ifndef WEIR_CONTROL_SESSION_RECOVERY_H_
#define WEIR_CONTROL_SESSION_RECOVERY_H_

#include <absl/status/status.h>

#include <functional>
#include <memory>
#include <string>

#include "control/dataplane/client.h"
#include "control/session/node.h"

namespace weir::control {

// Takes over a connection before sessions may use it: stops and releases every flow whose
// session (16 bytes) is not `active`. Flows of a session that the store holds unfinished are read
// out first; that session is exported once, aborted as control_restarted. Sessions the store
// holds unfinished of which the dataplane knows nothing are exported with the intervals the store
// has. Both only if `unfinished`: the first connection of this process.
absl::Status TakeOver(const Node& node, const std::shared_ptr<const Connection>& connection,
                      const std::function<bool(const std::string&)>& active, bool unfinished);

// Without a dataplane: all unfinished sessions from what the store has.
absl::Status FinishWithoutDataplane(const Node& node);

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_RECOVERY_H_
