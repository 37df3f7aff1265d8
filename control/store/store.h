// The embedded store: sessions, their intervals, approved records and the audit trail.
#ifndef WEIR_CONTROL_STORE_STORE_H_
#define WEIR_CONTROL_STORE_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/export/approved_record.h"
#include "control/store/release_clock.h"
#include "measurement/v1/measurement.pb.h"
#include "policy/v1/trace.pb.h"
#include "record/v1/record.pb.h"

namespace weir::control {

struct StoreOptions {
  std::string path;                        // Its directory must exist.
  uint64_t max_bytes = uint64_t{1} << 30;  // High-water mark of database and log together.
  std::function<ClockReading()> clocks = ReadClocks;
  // Told of audit rows once they are committed, by event; on the writer's thread. May be null.
  std::function<void(const std::string& event, int64_t count)> audited = nullptr;
};

// What one quota has seen; the key is a hash of what it counts.
struct UseRow {
  std::string key = {};  // 16 bytes.
  uint32_t day = 0;      // Since the epoch, UTC: what tests and bytes count.
  uint32_t tests = 0;
  uint64_t bytes = 0;
  uint32_t not_before_unix_s = 0;
};

// What a port sent in 5 s, and its counter at their end.
struct EgressRow {
  std::string port = {};
  std::string boot_id = {};  // Of the dataplane that counts.
  uint64_t tx_bytes = 0;
  int64_t at_unix_ns = 0;  // Their beginning.
  uint64_t bytes = 0;
};

// An access token that must not be taken again while it has not expired.
struct TokenRow {
  std::string key = {};  // 16 bytes: a hash.
  int64_t expires_unix_s = 0;
};

// What must survive a crash for the session to be finished and recorded.
struct SessionRow {
  std::string session_id;  // UUIDv7, textual.
  std::string role;        // "server" or "client".
  int64_t started_unix_ns = 0;
  std::string admission_rule;
  std::string policy_digest;
  std::string experiment;
  std::string purpose;
  std::string client_address;  // Forgotten when the session is finished.
  std::string requested;       // Serialised measurement.v1.NegotiateRequest, or as SESSION needs.
  std::string granted;         // Serialised measurement.v1.Grant (without the session key).
  // That quotas count it under, from its first moment. Of an unfinished session: their keys.
  std::vector<UseRow> use = {};
  TokenRow token = {};                  // That admitted it, if one did. Not read back.
  std::vector<std::string> flows = {};  // Keys its packets are looked up by.
  policy::v1::Trace trace = {};         // Why it was admitted, for the audit row. Not read back.
};

struct UnfinishedSession {
  SessionRow row;
  struct DirectionIntervals {
    record::v1::Direction direction;
    std::vector<record::v1::Interval> intervals;  // By index.
  };
  std::vector<DirectionIntervals> directions;
};

// A session as `weir sessions` lists it after it ended.
struct FinishedSession {
  std::string session_id;
  std::string role;
  std::string state;  // "exported", "aborted" or "withheld" (no record may be kept).
  std::string end_reason;
  int64_t started_unix_ns = 0;
  std::string admission_rule;
  std::string peer;  // In the address mode of the record.
  std::string granted;
};

// All that ends a session, committed at once.
struct SessionEnd {
  std::string session_id;
  std::string state;  // "exported", "aborted" or "withheld".
  std::string end_reason;
  std::string detail;  // For the audit row, e.g. why export withheld a record.
  std::vector<ApprovedRecord> records;
  uint64_t moved_bytes = 0;  // Added to each use of its row.
};

// Something an operator or auditor must be able to see later, other than sessions and refusals.
struct AuditEvent {
  std::string event = {};   // "policy_applied", "policy_kept", "address_read", ...
  std::string detail = {};  // Never an address.
  std::string session_id = {};
  std::string rule = {};
  int64_t count = 1;
};

// Where a record is on its way to the public.
struct RecordStanding {
  std::string record_id = {};
  record::v1::ReleaseState state = record::v1::COLLECTED;
  int64_t release_due_ns = 0;  // By the release clock; 0: not by itself.
  int64_t anonymise_due_ns = 0;
  bool erased = false;  // The client's address was taken out of it.
  std::string session_id = {};
  record::v1::ReleaseClass release_class = record::v1::OPERATOR_ONLY;
  int64_t delete_due_ns = 0;  // Then it goes as soon as it may.
};

struct StoredRecord {
  record::v1::Record record;
  RecordStanding standing;
};

struct RecordChange {
  std::vector<RecordStanding> changed = {};
  std::vector<RecordStanding> unchanged = {};  // Were so before.
};

// Who must have a record before retention takes it.
struct RetentionTerms {
  // Each of them is waited for until a destination has come for it.
  std::vector<std::string> public_recipients = {};    // May have records that are released.
  std::vector<std::string> operator_recipients = {};  // May have those of class operator_only.
  // What a destination has settled under another one it has not settled: end of its terms.
  std::string policy_digest = {};
};

struct RetentionRun {
  int64_t deleted = 0;
  int64_t held = 0;  // Due, and not everybody has them yet.
};

// How far a destination is, without what it has.
struct Backlog {
  std::string destination = {};
  int64_t behind = 0;
  int64_t dead = 0;
};

// What a destination has settled, one way or the other.
struct Delivery {
  std::string record_id = {};
  int64_t version = 0;     // Of the record as it has it; 0: not known.
  bool tombstone = false;  // The erasure of the client's address, not the record.
  bool refused = false;    // It will never take it: a dead letter.
  std::string reason = {};
};

// Why what is settled is to be delivered after all.
enum class Reopening {
  kLost,   // The destination had it, and lost it.
  kRetry,  // It is a dead letter, and the operator wants it tried again.
};

struct PendingDelivery {
  StoredRecord stored;
  int64_t version = 0;
  bool tombstone = false;
};

struct PullQuery {
  std::string destination = {};
  // Begins with the recipient, ends with the policy's digest: all that decides what may go there.
  std::string terms = {};
  int64_t after_change = 0;  // What changed up to there is on its way: only what follows it.
  uint32_t limit = 0;
  bool follow_states = false;  // What it has goes again when the release state changed since.
};

struct Pulled {
  std::vector<PendingDelivery> items = {};
  int64_t last_change = 0;     // Up to this change everything was looked at.
  int64_t settled_change = 0;  // Nothing up to this change is left.
};

struct DeliveryCounts {
  std::string destination = {};
  int64_t records = 0, tombstones = 0, dead = 0;
  int64_t behind = 0;  // Changes after the last that is settled with all before it.
};

struct DeadLetter {
  std::string destination = {}, record_id = {};
  bool tombstone = false;
  int64_t at_unix_ns = 0;
  std::string reason = {};
};

// One row of the audit log.
struct AuditRow {
  int64_t id = 0;  // From 1, without a gap.
  int64_t at_unix_ns = 0;
  std::string event = {};
  std::string session_id = {};
  std::string stage = {}, rule = {}, field = {};  // Of a refusal.
  std::string netblock = {};                      // Never a full address.
  std::string detail = {};
  int64_t count = 1;       // Refusals of one minute with the same cause are one row.
  std::string trace = {};  // Serialised policy.v1.Trace.
  std::string hash = {};   // 32 bytes.
};

struct AuditFilter {
  uint32_t limit = 0;      // 0 is 100; at most 1000.
  int64_t before_id = 0;   // 0: from the newest.
  std::string event = {};  // Empty: all.
  std::string session_id = {};
};

// The newest row of an audit log at some time: what is noted elsewhere to prove it later.
struct AuditHead {
  int64_t id = 0;
  std::string hash = {};
};

struct AuditVerdict {
  bool intact = false;
  int64_t rows = 0;  // That are in order.
  AuditHead head;    // Of those.
  int64_t first_broken_id = 0;
  std::string why = {};
};

// The only opener of the database. Thread-safe. One writer thread commits what is queued in
// batches; calls documented as durable return after the commit that holds their work.
//
// When the disk is full: BeginSession fails with ResourceExhausted and leaves nothing. Everything
// else is kept in memory, in order, and written as soon as there is space; Full() is true
// meanwhile.
class Store {
 public:
  // Creates or opens (mode 0600), migrates, checks integrity. FailedPrecondition: in use by
  // another process, not a Weir store, of a newer version. DataLoss: damaged.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const StoreOptions& options);

  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;  // Writes what is queued if it can.

  // Durable. AlreadyExists if the id was used.
  virtual absl::Status BeginSession(const SessionRow& row) = 0;

  // Queued; durable with the next commit (at most a second later). A repeated index replaces.
  virtual void AppendInterval(const std::string& session_id, record::v1::Direction direction,
                              const record::v1::Interval& interval) = 0;

  // Durable when it returns OK: records, state and audit row in one transaction. A session that
  // is already finished is left as it is (OK). NotFound: never begun. ResourceExhausted: the disk
  // is full; the end is kept and will be written.
  absl::Status FinishSession(const SessionEnd& end) { return FinishSessions({&end, 1}).front(); }
  // The same of each of many, in order, which share commits.
  virtual std::vector<absl::Status> FinishSessions(std::span<const SessionEnd> ends) = 0;

  // Queued. `peer` is an address; only its netblock is kept. Repeats of stage, rule and netblock
  // within a minute are counted in one row, so that refusals cannot fill the store.
  virtual void AuditRejection(const measurement::v1::Rejection& rejection,
                              const std::string& peer) = 0;

  // Queued, stamped with the present time.
  virtual void Audit(const AuditEvent& event) = 0;
  // Likewise, but durable: for what must not happen without its row.
  virtual absl::Status AuditNow(const AuditEvent& event) = 0;

  // Releases and anonymises what is due by the release clock. Durable. Returns how many.
  virtual absl::StatusOr<int> RunDeadlines() = 0;
  // Durable. `id`: of a record, or of a session for all of its records; `why` is for the audit
  // log. NotFound; PermissionDenied: of a class that is never released.
  virtual absl::StatusOr<RecordChange> ReleaseRecord(const std::string& id,
                                                     const std::string& why) = 0;
  // Durable: no later reader and no file of the store has the client's address any more.
  virtual absl::StatusOr<RecordChange> AnonymiseRecord(const std::string& id,
                                                       const std::string& why) = 0;

  // Deletes what is due by the release clock and settled with everybody it must go to, each with an
  // audit row; frees the space. Durable.
  virtual absl::StatusOr<RetentionRun> RunRetention(const RetentionTerms& terms) = 0;

  // Of today, and what forbids tests still to come.
  virtual absl::StatusOr<std::vector<UseRow>> LoadUse() = 0;
  // Those that have not expired.
  virtual absl::StatusOr<std::vector<TokenRow>> LoadTokens() = 0;
  // Queued.
  virtual void SaveEgress(const EgressRow& row) = 0;
  // Of the last five minutes.
  virtual absl::StatusOr<std::vector<EgressRow>> LoadEgress() = 0;

  // Newest first. Refusals of the present minute are still being counted and not among them.
  virtual absl::StatusOr<std::vector<AuditRow>> ListAudit(const AuditFilter& filter) = 0;
  // Recomputes the whole chain. `anchor`, if its id is not 0, must be part of it.
  virtual absl::StatusOr<AuditVerdict> VerifyAudit(const AuditHead& anchor) = 0;

  // The session with a flow of this key at that time, give or take `slack_ns`; the newest of
  // several. NotFound: none, or it ended 90 days ago.
  virtual absl::StatusOr<std::string> FindFlow(const std::string& key, int64_t at_unix_ns,
                                               int64_t slack_ns) = 0;

  // Sessions begun and not finished, oldest first: what a restarted control must end.
  virtual absl::StatusOr<std::vector<UnfinishedSession>> UnfinishedSessions() = 0;

  // Newest first. `limit` 0 is 100; at most 1000. Records are listed without their intervals.
  virtual absl::StatusOr<std::vector<FinishedSession>> ListFinished(uint32_t limit) = 0;
  virtual absl::StatusOr<std::vector<StoredRecord>> ListRecords(uint32_t limit,
                                                                const std::string& before_id) = 0;
  // Every record the public may have that was negotiated from `since` to before `until`, without
  // its intervals, oldest first. Others read and write meanwhile. Empty `experiment`: of all.
  virtual absl::Status VisitReleased(int64_t since_unix_ns, int64_t until_unix_ns,
                                     const std::string& experiment,
                                     const std::function<void(const StoredRecord&)>& visit) = 0;
  virtual absl::StatusOr<StoredRecord> FindRecord(const std::string& record_id) = 0;
  absl::StatusOr<record::v1::Record> GetRecord(const std::string& record_id) {
    auto found = FindRecord(record_id);
    if (!found.ok()) return found.status();
    return std::move(found->record);
  }

  // The oldest changes the destination has not settled. `may_go` is what the query's terms decide.
  // Tombstones go to whoever has the record as it was.
  virtual absl::StatusOr<Pulled> PullDeliveries(
      const PullQuery& query, const std::function<bool(const StoredRecord&)>& may_go) = 0;
  // Durable, all or nothing, with one audit row for each kind. Idempotent. NotFound: no such
  // record.
  virtual absl::Status SettleDeliveries(const std::string& destination,
                                        const std::vector<Delivery>& deliveries,
                                        const std::string& audit_detail) = 0;
  // Durable, all or nothing, with one audit row. What is not settled that way stays as it is. Of
  // dead letters only the record id counts, and none at all means all of the destination's.
  // Returns how many will be pulled again.
  virtual absl::StatusOr<int64_t> ReopenDeliveries(const std::string& destination,
                                                   const std::vector<Delivery>& deliveries,
                                                   Reopening why,
                                                   const std::string& audit_detail) = 0;
  virtual absl::StatusOr<std::vector<DeliveryCounts>> CountDeliveries() = 0;
  virtual absl::StatusOr<std::vector<Backlog>> ListBacklogs() = 0;
  // Durable, with an audit row. NotFound.
  virtual absl::Status ForgetDestination(const std::string& destination) = 0;
  virtual absl::StatusOr<std::vector<DeadLetter>> ListDeadLetters(uint32_t limit) = 0;
  // Id 0: the log is empty.
  virtual absl::StatusOr<AuditHead> CurrentAuditHead() = 0;

  virtual uint64_t RecordCount() const = 0;  // From memory.
  virtual uint64_t SizeBytes() const = 0;
  // At the high-water mark, or the last write failed: admit no session.
  virtual bool Full() const = 0;
  // OK, or why writes fail at the moment.
  virtual absl::Status Health() const = 0;

  // Returns when everything queued before the call is durable or has failed.
  virtual absl::Status Flush() = 0;

 protected:
  Store() = default;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_STORE_H_
