#include "control/store/lifecycle_rows.h"

#include <google/protobuf/util/time_util.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "control/store/audit_log.h"

namespace weir::control {
namespace {

using record::v1::Record;
using record::v1::ReleaseState;

constexpr int64_t kTermDayNs = int64_t{86'400} * 1'000'000'000;

constexpr char kStanding[] =
    "record_id, state, release_due_ns, anonymise_due_ns, erased, session_id, release_class, "
    "delete_due_ns";
// What follows those in a query.
constexpr int kAfterStanding = 8;

RecordStanding ReadStanding(const Statement& row) {
  return {.record_id = row.Text(0),
          .state = static_cast<ReleaseState>(row.Int(1)),
          .release_due_ns = row.Int(2),
          .anonymise_due_ns = row.Int(3),
          .erased = row.Int(4) != 0,
          .session_id = row.Text(5),
          .release_class = static_cast<record::v1::ReleaseClass>(row.Int(6)),
          .delete_due_ns = row.Int(7)};
}

absl::StatusOr<std::vector<RecordStanding>> SelectStandings(Statement* statement) {
  std::vector<RecordStanding> found;
  while (true) {
    const auto row = statement->Step();
    if (!row.ok()) return row.status();
    if (!*row) return found;
    found.push_back(ReadStanding(*statement));
  }
}

// The lifecycle's row as the open transaction knows it.
struct LastChange {
  int64_t number = 0;
  bool written = true;
};

absl::Status DamagedRow(const std::string& what) {
  return absl::DataLossError(absl::StrCat("the store holds a damaged ", what));
}

absl::Status WriteLastChange(Database* database, int64_t number) {
  auto write = database->Prepare("UPDATE lifecycle SET last_change = ?");
  if (!write.ok()) return write.status();
  return write->Bind(0, number).Run();
}

// Whatever changes of a record gets the next number, so that who follows the numbers misses
// nothing.
absl::StatusOr<int64_t> NextChange(Database* database) {
  LastChange* last = database->Kept<LastChange>();
  if (last == nullptr) {
    const auto stored = database->QueryInt("SELECT last_change FROM lifecycle");
    if (!stored.ok()) return stored.status();
    last = database->Keep(LastChange{.number = *stored});
    if (last == nullptr) {  // No transaction: each statement is one.
      if (absl::Status status = WriteLastChange(database, *stored + 1); !status.ok()) return status;
      return *stored + 1;
    }
  }
  if (std::exchange(last->written, false)) {
    database->BeforeCommit([database, last] {
      last->written = true;
      return WriteLastChange(database, last->number);
    });
  }
  return ++last->number;
}

absl::StatusOr<ReleaseClock> ReadReleaseClock(Database* database) {
  if (const auto* kept = database->Kept<ReleaseClock>()) return *kept;
  auto read = database->Prepare(
      "SELECT now_ns, boot_ns, boot_id, anchor_wall_ns, anchor_now_ns, down_time_open "
      "FROM lifecycle");
  if (!read.ok()) return read.status();
  const auto found = read->Step();
  if (!found.ok()) return found.status();
  if (!*found) return DamagedRow("release clock");
  return ReleaseClock{.now_ns = read->Int(0),
                      .boot_ns = read->Int(1),
                      .boot_id = read->Text(2),
                      .anchor_wall_ns = read->Int(3),
                      .anchor_now_ns = read->Int(4),
                      .down_time_open = read->Int(5) != 0};
}

const char* EventOf(ReleaseState state) {
  switch (state) {
    case record::v1::EMBARGOED:
      return "record_embargoed";
    case record::v1::RELEASED:
      return "record_released";
    case record::v1::ANONYMISED:
      return "record_anonymised";
    default:
      return "record_collected";
  }
}

absl::Status Note(Database* database, const char* event, const RecordStanding& standing,
                  const std::string& why, const Moment& moment) {
  return AppendAudit(database, {.at_unix_ns = moment.audit_unix_ns,
                                .event = event,
                                .session_id = standing.session_id,
                                .detail = absl::StrCat(standing.record_id, ": ", why)});
}

// Enters RELEASED or ANONYMISED; where a record begins, CollectRecord says.
absl::Status Enter(Database* database, RecordStanding* standing, ReleaseState state,
                   const std::string& why, const Moment& moment) {
  const auto change = NextChange(database);
  if (!change.ok()) return change.status();
  auto statement = database->Prepare(
      "UPDATE records SET state = ?1, change = ?2, release_due_ns = NULL, delete_due_ns = "
      "CASE WHEN ?1 = 3 AND keep_days > 0 "
      "THEN (SELECT now_ns FROM lifecycle) + keep_days * 86400000000000 ELSE delete_due_ns END "
      "WHERE record_id = ?3");
  if (!statement.ok()) return statement.status();
  absl::Status status =
      statement->Bind(0, int64_t{state}).Bind(1, *change).Bind(2, standing->record_id).Run();
  if (!status.ok()) return status;
  standing->state = state;
  standing->release_due_ns = 0;
  return Note(database, EventOf(state), *standing, why, moment);
}

// A record whose address is gone already does not stop at RELEASED.
absl::Status Release(Database* database, RecordStanding* standing, const std::string& why,
                     const Moment& moment) {
  absl::Status status = Enter(database, standing, record::v1::RELEASED, why, moment);
  if (status.ok() && standing->erased) {
    status =
        Enter(database, standing, record::v1::ANONYMISED, "its address was erased before", moment);
  }
  return status;
}

absl::Status EraseAddress(Database* database, RecordStanding* standing, const std::string& why,
                          const Moment& moment) {
  auto read = database->Prepare("SELECT record FROM records WHERE record_id = ?");
  if (!read.ok()) return read.status();
  const auto found = read->Bind(0, standing->record_id).Step();
  if (!found.ok()) return found.status();
  Record record;
  if (!*found || !record.ParseFromString(read->Text(0))) {
    return absl::DataLossError(absl::StrCat("the store holds a damaged ", standing->record_id));
  }
  read->Reset();
  record.mutable_client()->set_mode(record::v1::ADDRESS_NONE);
  record.mutable_client()->clear_value();

  const auto change = NextChange(database);
  if (!change.ok()) return change.status();
  auto write = database->Prepare(
      "UPDATE records SET record = ?, change = ?, erased = ?2, anonymise_due_ns = NULL "
      "WHERE record_id = ?");
  if (!write.ok()) return write.status();
  absl::Status status = write->BindBlob(0, record.SerializeAsString())
                            .Bind(1, *change)
                            .Bind(2, standing->record_id)
                            .Run();
  if (!status.ok()) return status;
  auto peer = database->Prepare("UPDATE sessions SET peer = '' WHERE session_id = ?");
  if (!peer.ok()) return peer.status();
  if (status = peer->Bind(0, standing->session_id).Run(); !status.ok()) return status;
  standing->erased = true;
  standing->anonymise_due_ns = 0;
  if (standing->state == record::v1::RELEASED) {
    return Enter(database, standing, record::v1::ANONYMISED, why, moment);
  }
  return Note(database, "record_address_erased", *standing, why, moment);
}

absl::Status InsertRecord(Database* database, const RecordRow& row,
                          const RecordStanding& standing) {
  const auto change = NextChange(database);
  if (!change.ok()) return change.status();
  auto statement = database->Prepare(
      "INSERT INTO records (record_id, session_id, direction, outcome, negotiated_unix_ns, "
      "experiment, release_class, record, intervals, state, release_due_ns, anonymise_due_ns, "
      "keep_days, delete_due_ns, change) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0), "
      "nullif(?, 0), ?, nullif(?, 0), ?)");
  if (!statement.ok()) return statement.status();
  return statement->Bind(0, row.record_id)
      .Bind(1, row.session_id)
      .Bind(2, int64_t{row.direction})
      .Bind(3, int64_t{row.outcome})
      .Bind(4, row.negotiated_unix_ns)
      .Bind(5, row.experiment)
      .Bind(6, int64_t{row.release_class})
      .BindBlob(7, row.record)
      .BindBlob(8, row.intervals)
      .Bind(9, int64_t{standing.state})
      .Bind(10, standing.release_due_ns)
      .Bind(11, standing.anonymise_due_ns)
      .Bind(12, int64_t{row.terms.keep_days})
      .Bind(13, standing.delete_due_ns)
      .Bind(14, *change)
      .Run();
}

absl::StatusOr<std::vector<RecordStanding>> FindStandings(Database* database,
                                                          const std::string& id) {
  auto statement = database->Prepare(
      absl::StrCat("SELECT ", kStanding,
                   " FROM records WHERE record_id IN (?1, ?1 || '-down', ?1 || '-up') "
                   "ORDER BY record_id"));
  if (!statement.ok()) return statement.status();
  auto found = SelectStandings(&statement->Bind(0, id));
  if (found.ok() && found->empty()) {
    return absl::NotFoundError(absl::StrCat("no record, and no session with records, ", id));
  }
  return found;
}

absl::StatusOr<std::vector<RecordStanding>> FindDue(Database* database, const char* column,
                                                    int64_t now_ns, int limit) {
  auto statement = database->Prepare(absl::StrCat("SELECT ", kStanding, " FROM records WHERE ",
                                                  column, " <= ? ORDER BY ", column, " LIMIT ?"));
  if (!statement.ok()) return statement.status();
  return SelectStandings(&statement->Bind(0, now_ns).Bind(1, int64_t{limit}));
}

}  // namespace

absl::StatusOr<int64_t> AdvanceReleaseClock(Database* database, const ClockReading& reading,
                                            int64_t unwritten_ns) {
  const auto stored = ReadReleaseClock(database);
  if (!stored.ok()) return stored.status();
  const bool settled = !stored->down_time_open && stored->boot_id == reading.boot_id;
  const int64_t since_ns = reading.boot_ns - stored->boot_ns;
  ReleaseClock clock = *stored;
  clock.Advance(reading);
  database->Keep(*stored);
  if (settled && since_ns >= 0 && since_ns < unwritten_ns) return clock.now_ns;
  auto write = database->Prepare(
      "UPDATE lifecycle SET now_ns = ?, boot_ns = ?, boot_id = ?, anchor_wall_ns = ?, "
      "anchor_now_ns = ?, down_time_open = ?");
  if (!write.ok()) return write.status();
  absl::Status status = write->Bind(0, clock.now_ns)
                            .Bind(1, clock.boot_ns)
                            .Bind(2, clock.boot_id)
                            .Bind(3, clock.anchor_wall_ns)
                            .Bind(4, clock.anchor_now_ns)
                            .Bind(5, int64_t{clock.down_time_open})
                            .Run();
  if (!status.ok()) return status;
  database->Keep(clock);
  return clock.now_ns;
}

RecordRow::RecordRow(const ApprovedRecord& approved)
    : record_id(approved.record().record_id()),
      session_id(approved.record().session_id()),
      experiment(approved.record().experiment()),
      export_rule(approved.record().export_rule()),
      client(approved.record().client().value()),
      direction(approved.record().direction()),
      outcome(approved.record().outcome()),
      release_class(approved.record().release_class()),
      negotiated_unix_ns(google::protobuf::util::TimeUtil::TimestampToNanoseconds(
          approved.record().negotiated_at())),
      terms(approved.terms()) {
  Record head = approved.record();
  Record tail;
  if (head.has_result()) {
    tail.mutable_result()->mutable_intervals()->Swap(head.mutable_result()->mutable_intervals());
  }
  record = head.SerializeAsString();
  intervals = tail.SerializeAsString();
}

absl::Status CollectRecord(Database* database, const RecordRow& row, int64_t now_ns,
                           const Moment& moment) {
  const ReleaseTerms& terms = row.terms;
  const bool is_public = row.release_class == record::v1::PUBLIC;
  const bool embargoed = is_public && terms.embargo_days != 0;
  const bool anonymised = terms.anonymise_days != 0 && !row.client.empty();
  const RecordStanding standing{
      .record_id = row.record_id,
      .state = embargoed   ? record::v1::EMBARGOED
               : is_public ? record::v1::RELEASED
                           : record::v1::COLLECTED,
      .release_due_ns = embargoed ? now_ns + terms.embargo_days * kTermDayNs : 0,
      .anonymise_due_ns = anonymised ? now_ns + terms.anonymise_days * kTermDayNs : 0,
      .session_id = row.session_id,
      .release_class = row.release_class,
      .delete_due_ns =
          terms.keep_days != 0 && !embargoed ? now_ns + terms.keep_days * kTermDayNs : 0};
  absl::Status status = InsertRecord(database, row, standing);
  if (!status.ok() || !is_public) return status;
  const std::string why =
      embargoed ? absl::StrCat("embargo_days ", terms.embargo_days, " of ", row.export_rule)
                : absl::StrCat("no embargo in ", row.export_rule);
  return Note(database, EventOf(standing.state), standing, why, moment);
}

absl::StatusOr<int> RunDeadlineRows(Database* database, const Moment& moment, int limit) {
  const auto now = AdvanceReleaseClock(database, moment.clocks);
  if (!now.ok()) return now.status();
  auto release = FindDue(database, "release_due_ns", *now, limit);
  if (!release.ok()) return release.status();
  for (RecordStanding& standing : *release) {
    if (absl::Status status = Release(database, &standing, "embargo over", moment); !status.ok()) {
      return status;
    }
  }
  auto erase =
      FindDue(database, "anonymise_due_ns", *now, limit - static_cast<int>(release->size()));
  if (!erase.ok()) return erase.status();
  for (RecordStanding& standing : *erase) {
    if (absl::Status status = EraseAddress(database, &standing, "anonymise_days over", moment);
        !status.ok()) {
      return status;
    }
  }
  return static_cast<int>(release->size() + erase->size());
}

absl::StatusOr<RecordChange> ReleaseRows(Database* database, const std::string& id,
                                         const std::string& why, const Moment& moment) {
  if (const auto now = AdvanceReleaseClock(database, moment.clocks); !now.ok()) {
    return now.status();  // What is kept for a time is kept from now.
  }
  auto found = FindStandings(database, id);
  if (!found.ok()) return found.status();
  RecordChange change;
  for (RecordStanding& standing : *found) {
    if (standing.release_class != record::v1::PUBLIC) {
      return absl::PermissionDeniedError(
          absl::StrCat(standing.record_id,
                       ": release class operator_only: it never leaves the site; only a policy "
                       "whose export rule says public releases records, and only later ones"));
    }
    if (standing.state != record::v1::EMBARGOED) {
      change.unchanged.push_back(standing);
      continue;
    }
    if (absl::Status status = Release(database, &standing, why, moment); !status.ok()) {
      return status;
    }
    change.changed.push_back(standing);
  }
  return change;
}

absl::StatusOr<RecordChange> AnonymiseRows(Database* database, const std::string& id,
                                           const std::string& why, const Moment& moment) {
  auto found = FindStandings(database, id);
  if (!found.ok()) return found.status();
  RecordChange change;
  for (RecordStanding& standing : *found) {
    if (standing.erased) {
      change.unchanged.push_back(standing);
      continue;
    }
    if (absl::Status status = EraseAddress(database, &standing, why, moment); !status.ok()) {
      return status;
    }
    change.changed.push_back(standing);
  }
  return change;
}

absl::StatusOr<std::vector<StoredRecord>> SelectRecords(Database* database, uint32_t limit,
                                                        const std::string& before_id) {
  // Ids begin with the time (UUIDv7): their order is that of the tests.
  auto statement =
      database->Prepare(absl::StrCat("SELECT ", kStanding,
                                     ", record FROM records WHERE ?1 = '' OR record_id < ?1 "
                                     "ORDER BY record_id DESC LIMIT ?2"));
  if (!statement.ok()) return statement.status();
  statement->Bind(0, before_id).Bind(1, int64_t{limit});
  std::vector<StoredRecord> result;
  while (true) {
    const auto row = statement->Step();
    if (!row.ok()) return row.status();
    if (!*row) return result;
    StoredRecord& stored = result.emplace_back();
    stored.standing = ReadStanding(*statement);
    if (!stored.record.ParseFromString(statement->Text(kAfterStanding)))
      return DamagedRow("record");
  }
}

absl::Status VisitReleasedRows(Database* database, int64_t since_unix_ns, int64_t until_unix_ns,
                               const std::string& experiment,
                               const std::function<void(const StoredRecord&)>& visit) {
  auto statement = database->Prepare(
      absl::StrCat("SELECT ", kStanding,
                   ", record FROM records WHERE state IN (3, 4) AND negotiated_unix_ns >= ?1 "
                   "AND negotiated_unix_ns < ?2 AND (?3 = '' OR experiment = ?3) "
                   "ORDER BY record_id"));
  if (!statement.ok()) return statement.status();
  statement->Bind(0, since_unix_ns).Bind(1, until_unix_ns).Bind(2, experiment);
  while (true) {
    const auto row = statement->Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    StoredRecord stored{.record = {}, .standing = ReadStanding(*statement)};
    if (!stored.record.ParseFromString(statement->Text(kAfterStanding)))
      return DamagedRow("record");
    visit(stored);
  }
}

absl::StatusOr<StoredRecord> SelectRecord(Database* database, const std::string& record_id) {
  auto statement = database->Prepare(
      absl::StrCat("SELECT ", kStanding, ", record, intervals FROM records WHERE record_id = ?"));
  if (!statement.ok()) return statement.status();
  const auto row = statement->Bind(0, record_id).Step();
  if (!row.ok()) return row.status();
  if (!*row) return absl::NotFoundError(absl::StrCat("no record ", record_id));
  StoredRecord stored{.record = {}, .standing = ReadStanding(*statement)};
  // A concatenation of serialised messages is their merge.
  if (!stored.record.ParseFromString(statement->Text(kAfterStanding) +
                                     statement->Text(kAfterStanding + 1))) {
    return DamagedRow(absl::StrCat("record ", record_id));
  }
  return stored;
}

absl::Status AuditFirstStates(Database* database) {
  const auto released = database->QueryInt("SELECT count(*) FROM records WHERE state = 3");
  if (!released.ok()) return released.status();
  if (*released == 0) return absl::OkStatus();
  return AppendAudit(database, {.at_unix_ns = absl::GetCurrentTimeNanos(),
                                .event = "record_released",
                                .detail = "public records stored before there were embargoes",
                                .count = *released});
}

}  // namespace weir::control
