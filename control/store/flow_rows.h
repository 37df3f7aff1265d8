// The flows of sessions, by the key their packets are looked up by. Each function runs inside the
// caller's transaction.
#ifndef WEIR_CONTROL_STORE_FLOW_ROWS_H_
#define WEIR_CONTROL_STORE_FLOW_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/store/sqlite.h"

namespace weir::control {

// Of a session that begins. Forgets those that ended too long ago.
absl::Status InsertFlows(Database* database, const std::string& session_id,
                         const std::vector<std::string>& keys, int64_t from_unix_ns);
absl::StatusOr<std::vector<std::string>> SelectFlows(Database* database,
                                                     const std::string& session_id);
absl::Status EndFlows(Database* database, const std::string& session_id, int64_t to_unix_ns);

// NotFound: no flow of that key then.
absl::StatusOr<std::string> SelectFlow(Database* database, const std::string& key,
                                       int64_t at_unix_ns, int64_t slack_ns);

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_FLOW_ROWS_H_
