// The way of a record to the public: collected, embargoed, released, anonymised. Each function
// runs inside the caller's transaction, and each transition writes its audit row there.
#ifndef WEIR_CONTROL_STORE_LIFECYCLE_ROWS_H_
#define WEIR_CONTROL_STORE_LIFECYCLE_ROWS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/store/release_clock.h"
#include "control/store/sqlite.h"
#include "control/store/store.h"

namespace weir::control {

// Where transitions come from.
struct Moment {
  ClockReading clocks;
  int64_t audit_unix_ns = 0;  // What the audit row says.
};

// Advances the store's release clock and returns its time. What it was up to `unwritten_ns` ago
// is left in the store: later calls find as much from there.
absl::StatusOr<int64_t> AdvanceReleaseClock(Database* database, const ClockReading& reading,
                                            int64_t unwritten_ns = 0);

// A record as it is stored. Encoded where there are threads enough: only one writes.
struct RecordRow {
  explicit RecordRow(const ApprovedRecord& approved);

  const std::string record_id, session_id, experiment, export_rule;
  const std::string client;  // As the record has it; may be empty.
  const record::v1::Direction direction;
  const record::v1::Outcome outcome;
  const record::v1::ReleaseClass release_class;
  const int64_t negotiated_unix_ns;
  const ReleaseTerms terms;
  std::string record;     // Without result.intervals: listing must not read those of a day.
  std::string intervals;  // A record with nothing else.
};

// Stores a record of a finished session and puts it on its way. `now_ns`: the release clock's.
// AlreadyExists.
absl::Status CollectRecord(Database* database, const RecordRow& row, int64_t now_ns,
                           const Moment& moment);

// Does what is due, the longest due first, at most `limit`. Returns how many transitions.
absl::StatusOr<int> RunDeadlineRows(Database* database, const Moment& moment, int limit);

// `id`: of a record, or of a session for all of its records. NotFound; PermissionDenied: of a
// class that is never released.
absl::StatusOr<RecordChange> ReleaseRows(Database* database, const std::string& id,
                                         const std::string& why, const Moment& moment);
// Overwrites the client's address in the record and in its session.
absl::StatusOr<RecordChange> AnonymiseRows(Database* database, const std::string& id,
                                           const std::string& why, const Moment& moment);

// Newest first.
absl::StatusOr<std::vector<StoredRecord>> SelectRecords(Database* database, uint32_t limit,
                                                        const std::string& before_id);
// Of released and anonymised records, oldest first.
absl::Status VisitReleasedRows(Database* database, int64_t since_unix_ns, int64_t until_unix_ns,
                               const std::string& experiment,
                               const std::function<void(const StoredRecord&)>& visit);
// With its intervals.
absl::StatusOr<StoredRecord> SelectRecord(Database* database, const std::string& record_id);

// Version 5 of the store: records that were stored before there were states.
absl::Status AuditFirstStates(Database* database);

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_LIFECYCLE_ROWS_H_
