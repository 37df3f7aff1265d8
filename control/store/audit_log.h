// The tamper-evident audit log: each row carries a hash of itself and of the row before it, so
// that no row can be changed, taken out or put in without every later hash being wrong. What a
// chain cannot show by itself is that its end was cut off: for that an earlier head, noted
// elsewhere, is asked for. proto/README.md section 9.
#ifndef WEIR_CONTROL_STORE_AUDIT_LOG_H_
#define WEIR_CONTROL_STORE_AUDIT_LOG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/store/sqlite.h"
#include "control/store/store.h"

namespace weir::control {

// SHA-256 over the previous row's hash (empty before the first) and all of this row but its own,
// each field as a 64-bit big-endian length and its bytes; integers in decimal.
std::string AuditHash(const std::string& previous, const AuditRow& row);

// Appends the row; id and hash are set here. Runs inside the caller's transaction.
absl::Status AppendAudit(Database* database, AuditRow row);

// Gives ids and hashes to the rows of a store that had none.
absl::Status ChainAudit(Database* database);

// Newest first, older than `before_id` if that is not 0.
absl::StatusOr<std::vector<AuditRow>> SelectAudit(Database* database, const AuditFilter& filter);

// OK without a value for an empty log.
absl::StatusOr<std::optional<AuditHead>> SelectAuditHead(Database* database);

// Reads the whole log. `anchor`: a head that must be part of it.
absl::StatusOr<AuditVerdict> VerifyAudit(Database* database,
                                         const std::optional<AuditHead>& anchor);

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_AUDIT_LOG_H_
