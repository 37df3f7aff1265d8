// Deleting records whose time is over and that everybody has who is to have them. Each function
// runs inside the caller's transaction.
#ifndef WEIR_CONTROL_STORE_RETENTION_ROWS_H_
#define WEIR_CONTROL_STORE_RETENTION_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/store/lifecycle_rows.h"
#include "control/store/sqlite.h"
#include "control/store/store.h"

namespace weir::control {

// What may go, the longest due first, at most `limit`. Reads only.
absl::StatusOr<std::vector<std::string>> SelectDeletable(Database* database,
                                                         const RetentionTerms& terms, int limit);
// Deletes those of them that may still go, with all that was delivered of them, and their session
// with its last record. Returns how many.
absl::StatusOr<int64_t> DeleteRecords(Database* database,
                                      const std::vector<std::string>& record_ids,
                                      const RetentionTerms& terms, const Moment& moment);
// Due, whether they may go or not.
absl::StatusOr<int64_t> CountDue(Database* database);

// Forgets what a destination has and is to have. NotFound.
absl::Status ForgetDestinationRows(Database* database, const std::string& destination,
                                   const Moment& moment);

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_RETENTION_ROWS_H_
