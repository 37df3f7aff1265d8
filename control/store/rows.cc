#include "control/store/rows.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "control/store/audit_log.h"
#include "control/store/flow_rows.h"
#include "control/store/use_rows.h"

namespace weir::control {
namespace {

// Sessions end all the time: not each of them moves the release clock.
constexpr int64_t kUnwrittenClockNs = 1'000'000'000;

absl::Status Damaged(const std::string& what) {
  return absl::DataLossError(absl::StrCat("the store holds a damaged ", what));
}

// Costly even where there are none.
absl::Status DeleteIntervals(Database* database, const std::string& session_id) {
  auto statement = database->Prepare("DELETE FROM intervals WHERE session_id = ?");
  if (!statement.ok()) return statement.status();
  return statement->Bind(0, session_id).Run();
}

}  // namespace

absl::Status InsertSession(Database* database, const SessionRow& row) {
  auto statement = database->Prepare(
      "INSERT INTO sessions (session_id, role, state, started_unix_ns, admission_rule, "
      "policy_digest, experiment, purpose, client_address, requested, granted, use_keys) "
      "VALUES (?, ?, 'admitted', ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!statement.ok()) return statement.status();
  std::string use_keys;
  for (const UseRow& use : row.use) use_keys += use.key;
  absl::Status status = statement->Bind(0, row.session_id)
                            .Bind(1, row.role)
                            .Bind(2, row.started_unix_ns)
                            .Bind(3, row.admission_rule)
                            .Bind(4, row.policy_digest)
                            .Bind(5, row.experiment)
                            .Bind(6, row.purpose)
                            .Bind(7, row.client_address)
                            .BindBlob(8, row.requested)
                            .BindBlob(9, row.granted)
                            .BindBlob(10, use_keys)
                            .Run();
  if (!status.ok()) return status;
  if (status = ChargeTests(database, row.use); !status.ok()) return status;
  status = InsertToken(database, row.token, row.started_unix_ns);
  if (!status.ok()) return status;
  status = InsertFlows(database, row.session_id, row.flows, row.started_unix_ns);
  if (!status.ok()) return status;
  return AppendAudit(database, {.at_unix_ns = row.started_unix_ns,
                                .event = "session_begun",
                                .session_id = row.session_id,
                                .rule = row.admission_rule,
                                .detail = row.role,
                                .trace = row.trace.SerializeAsString()});
}

absl::Status InsertInterval(Database* database, const std::string& session_id, int direction,
                            const record::v1::Interval& interval) {
  auto statement = database->Prepare(
      "INSERT OR REPLACE INTO intervals (session_id, direction, number, interval) "
      "SELECT session_id, ?, ?, ? FROM sessions WHERE session_id = ? AND finished_unix_ns IS NULL");
  if (!statement.ok()) return statement.status();
  return statement->Bind(0, int64_t{direction})
      .Bind(1, int64_t{interval.index()})
      .BindBlob(2, interval.SerializeAsString())
      .Bind(3, session_id)
      .Run();
}

absl::StatusOr<EndRow> EndRow::Encode(const SessionEnd& end) {
  EndRow row{.session_id = end.session_id,
             .state = end.state,
             .end_reason = end.end_reason,
             .audit_detail = absl::StrCat(end.state, ": ", end.end_reason,
                                          end.detail.empty() ? "" : "; ", end.detail),
             .moved_bytes = end.moved_bytes};
  row.records.reserve(end.records.size());
  for (const ApprovedRecord& approved : end.records) {
    const RecordRow& record = row.records.emplace_back(approved);
    if (record.session_id != end.session_id) {
      return absl::InvalidArgumentError(absl::StrCat(
          "record ", record.record_id, " is of another session than ", end.session_id));
    }
  }
  return row;
}

absl::StatusOr<int64_t> FinishSessionRows(Database* database, const EndRow& end,
                                          const Moment& moment) {
  const int64_t at_unix_ns = moment.audit_unix_ns;
  auto find = database->Prepare(
      "SELECT finished_unix_ns IS NOT NULL, admission_rule, use_keys, "
      "EXISTS (SELECT 1 FROM intervals WHERE session_id = ?1) FROM sessions "
      "WHERE session_id = ?1");
  if (!find.ok()) return find.status();
  const auto found = find->Bind(0, end.session_id).Step();
  if (!found.ok()) return found.status();
  if (!*found) return absl::NotFoundError(absl::StrCat("no session ", end.session_id));
  if (find->Int(0) != 0) return 0;
  const std::string rule = find->Text(1);
  const std::string use_keys = find->Text(2);
  const bool has_intervals = find->Int(3) != 0;
  find->Reset();

  auto finish = database->Prepare(
      "UPDATE sessions SET state = ?, end_reason = ?, finished_unix_ns = ?, peer = ?, "
      "client_address = NULL, requested = NULL, use_keys = NULL WHERE session_id = ?");
  if (!finish.ok()) return finish.status();
  absl::Status status = finish->Bind(0, end.state)
                            .Bind(1, end.end_reason)
                            .Bind(2, at_unix_ns)
                            .Bind(3, end.records.empty() ? "" : end.records[0].client)
                            .Bind(4, end.session_id)
                            .Run();
  if (!status.ok()) return status;
  if (status = EndFlows(database, end.session_id, at_unix_ns); !status.ok()) return status;
  if (status = ChargeBytes(database, use_keys, end.moved_bytes, at_unix_ns); !status.ok()) {
    return status;
  }
  if (has_intervals) status = DeleteIntervals(database, end.session_id);
  if (!status.ok()) return status;
  status = AppendAudit(database, {.at_unix_ns = at_unix_ns,
                                  .event = "session_finished",
                                  .session_id = end.session_id,
                                  .rule = rule,
                                  .detail = end.audit_detail});
  if (!status.ok()) return status;
  if (end.records.empty()) return 0;
  const auto now = AdvanceReleaseClock(database, moment.clocks, kUnwrittenClockNs);
  if (!now.ok()) return now.status();
  for (const RecordRow& record : end.records) {
    if (status = CollectRecord(database, record, *now, moment); !status.ok()) return status;
  }
  return static_cast<int64_t>(end.records.size());
}

absl::Status InsertEvent(Database* database, const AuditEvent& event, int64_t at_unix_ns) {
  return AppendAudit(database, {.at_unix_ns = at_unix_ns,
                                .event = event.event,
                                .session_id = event.session_id,
                                .rule = event.rule,
                                .detail = event.detail,
                                .count = event.count});
}

absl::Status InsertRejections(Database* database,
                              const std::map<RejectionTally::Key, RejectionTally::Entry>& entries) {
  auto statement = database->Prepare(
      "INSERT INTO rejections (minute_unix_ns, stage, rule, field, netblock, detail, trace, count) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count");
  if (!statement.ok()) return statement.status();
  for (const auto& [key, entry] : entries) {
    absl::Status status = statement->Bind(0, key.minute_unix_ns)
                              .Bind(1, key.stage)
                              .Bind(2, key.rule)
                              .Bind(3, key.field)
                              .Bind(4, key.netblock)
                              .Bind(5, entry.detail)
                              .BindBlob(6, entry.trace)
                              .Bind(7, static_cast<int64_t>(entry.count))
                              .Run();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SealRejections(Database* database, int64_t before_unix_ns) {
  auto open = database->Prepare(
      "SELECT minute_unix_ns, stage, rule, field, netblock, detail, trace, count FROM rejections "
      "WHERE minute_unix_ns < ? ORDER BY minute_unix_ns, stage, rule, field, netblock");
  if (!open.ok()) return open.status();
  open->Bind(0, before_unix_ns);
  bool any = false;
  while (true) {
    const auto found = open->Step();
    if (!found.ok()) return found.status();
    if (!*found) break;
    any = true;
    absl::Status status = AppendAudit(database, {.at_unix_ns = open->Int(0),
                                                 .event = "rejected",
                                                 .stage = open->Text(1),
                                                 .rule = open->Text(2),
                                                 .field = open->Text(3),
                                                 .netblock = open->Text(4),
                                                 .detail = open->Text(5),
                                                 .count = open->Int(7),
                                                 .trace = open->Text(6)});
    if (!status.ok()) return status;
  }
  if (!any) return absl::OkStatus();
  open->Reset();
  auto sealed = database->Prepare("DELETE FROM rejections WHERE minute_unix_ns < ?");
  if (!sealed.ok()) return sealed.status();
  return sealed->Bind(0, before_unix_ns).Run();
}

absl::StatusOr<std::vector<UnfinishedSession>> SelectUnfinished(Database* database) {
  auto sessions = database->Prepare(
      "SELECT session_id, role, started_unix_ns, admission_rule, policy_digest, experiment, "
      "purpose, client_address, requested, granted, use_keys FROM sessions "
      "WHERE finished_unix_ns IS NULL ORDER BY session_id");
  if (!sessions.ok()) return sessions.status();
  auto intervals = database->Prepare(
      "SELECT direction, interval FROM intervals WHERE session_id = ? ORDER BY direction, number");
  if (!intervals.ok()) return intervals.status();

  std::vector<UnfinishedSession> result;
  while (true) {
    const auto row = sessions->Step();
    if (!row.ok()) return row.status();
    if (!*row) return result;
    UnfinishedSession& session = result.emplace_back();
    SessionRow& stored = session.row;
    stored.session_id = sessions->Text(0);
    stored.role = sessions->Text(1);
    stored.started_unix_ns = sessions->Int(2);
    stored.admission_rule = sessions->Text(3);
    stored.policy_digest = sessions->Text(4);
    stored.experiment = sessions->Text(5);
    stored.purpose = sessions->Text(6);
    stored.client_address = sessions->Text(7);
    stored.requested = sessions->Text(8);
    stored.granted = sessions->Text(9);
    const std::string use_keys = sessions->Text(10);
    for (size_t at = 0; at + kUseKeyBytes <= use_keys.size(); at += kUseKeyBytes) {
      stored.use.push_back({.key = use_keys.substr(at, kUseKeyBytes)});
    }
    auto flows = SelectFlows(database, stored.session_id);
    if (!flows.ok()) return flows.status();
    stored.flows = *std::move(flows);
    intervals->Bind(0, session.row.session_id);
    while (true) {
      const auto interval = intervals->Step();
      if (!interval.ok()) return interval.status();
      if (!*interval) break;
      const auto direction = static_cast<record::v1::Direction>(intervals->Int(0));
      if (session.directions.empty() || session.directions.back().direction != direction) {
        session.directions.push_back({direction, {}});
      }
      if (!session.directions.back().intervals.emplace_back().ParseFromString(intervals->Text(1))) {
        return Damaged(absl::StrCat("interval of session ", session.row.session_id));
      }
    }
    intervals->Reset();
  }
}

absl::StatusOr<std::vector<FinishedSession>> SelectFinished(Database* database, uint32_t limit) {
  auto statement = database->Prepare(
      "SELECT session_id, role, state, end_reason, started_unix_ns, admission_rule, peer, granted "
      "FROM sessions WHERE finished_unix_ns IS NOT NULL ORDER BY session_id DESC LIMIT ?");
  if (!statement.ok()) return statement.status();
  statement->Bind(0, int64_t{limit});
  std::vector<FinishedSession> result;
  while (true) {
    const auto row = statement->Step();
    if (!row.ok()) return row.status();
    if (!*row) return result;
    result.push_back({.session_id = statement->Text(0),
                      .role = statement->Text(1),
                      .state = statement->Text(2),
                      .end_reason = statement->Text(3),
                      .started_unix_ns = statement->Int(4),
                      .admission_rule = statement->Text(5),
                      .peer = statement->Text(6),
                      .granted = statement->Text(7)});
  }
}

}  // namespace weir::control
