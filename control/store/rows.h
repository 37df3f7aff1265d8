// What the store writes and reads, statement by statement. Each function runs inside the caller's
// transaction.
#ifndef WEIR_CONTROL_STORE_ROWS_H_
#define WEIR_CONTROL_STORE_ROWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/store/lifecycle_rows.h"
#include "control/store/rejection_tally.h"
#include "control/store/sqlite.h"
#include "control/store/store.h"

namespace weir::control {

absl::Status InsertSession(Database* database, const SessionRow& row);

// Does nothing for a session that is finished or was never begun.
absl::Status InsertInterval(Database* database, const std::string& session_id, int direction,
                            const record::v1::Interval& interval);

// A SessionEnd as it is stored.
struct EndRow {
  // InvalidArgument: a record of another session.
  static absl::StatusOr<EndRow> Encode(const SessionEnd& end);

  std::string session_id, state, end_reason;
  std::string audit_detail;
  uint64_t moved_bytes = 0;
  std::vector<RecordRow> records = {};
};

// Returns how many records were added: 0 if the session was finished before.
absl::StatusOr<int64_t> FinishSessionRows(Database* database, const EndRow& end,
                                          const Moment& moment);

absl::Status InsertEvent(Database* database, const AuditEvent& event, int64_t at_unix_ns);

// Adds to the counts of their minute, which may still change.
absl::Status InsertRejections(Database* database,
                              const std::map<RejectionTally::Key, RejectionTally::Entry>& entries);

// Moves the counts of minutes that began before this time into the audit log, for good.
absl::Status SealRejections(Database* database, int64_t before_unix_ns);

absl::StatusOr<std::vector<UnfinishedSession>> SelectUnfinished(Database* database);
absl::StatusOr<std::vector<FinishedSession>> SelectFinished(Database* database, uint32_t limit);

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_ROWS_H_
