#include "bench/store_peer.h"

#include <sqlite3.h>

#include <chrono>
#include <memory>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/store_load.h"
#include "control/session/uuid.h"

namespace weir::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kDurably[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL";
constexpr char kLoosely[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF";

// A connection that remembers its first failure, so that loops need not look.
class Bare {
 public:
  Bare(const std::string& path, const char* settings) {
    Check(sqlite3_open_v2(path.c_str(), &database_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                          nullptr));
    Execute(settings);
  }
  ~Bare() {
    for (sqlite3_stmt* statement : statements_) sqlite3_finalize(statement);
    sqlite3_close(database_);
  }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;

  void Execute(const char* sql) { Check(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr)); }
  sqlite3_stmt* Prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    Check(sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
    return statements_.emplace_back(statement);
  }
  void Run(sqlite3_stmt* statement) {
    const int code = sqlite3_step(statement);
    Check(code == SQLITE_DONE ? SQLITE_OK : code);
    sqlite3_reset(statement);
  }
  int64_t QueryInt(const char* sql) {
    sqlite3_stmt* statement = Prepare(sql);
    sqlite3_step(statement);
    const int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return value;
  }
  const absl::Status& status() const { return status_; }

 private:
  void Check(int code) {
    if (code == SQLITE_OK || !status_.ok()) return;
    status_ = absl::UnavailableError(absl::StrCat("bare SQLite: ", sqlite3_errmsg(database_)));
  }

  sqlite3* database_ = nullptr;
  std::vector<sqlite3_stmt*> statements_;
  absl::Status status_;
};

void Bind(sqlite3_stmt* statement, int index, std::string_view text) {
  sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

void BindBlob(sqlite3_stmt* statement, int index, std::string_view bytes) {
  sqlite3_bind_blob(statement, index, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
}

// Calls append(i) for each, and commits each batch.
template <typename Append>
double InBatches(Bare* database, uint64_t count, const Append& append) {
  const auto begun = Clock::now();
  sqlite3_stmt* begin = database->Prepare("BEGIN IMMEDIATE");
  sqlite3_stmt* commit = database->Prepare("COMMIT");
  for (uint64_t i = 0; i < count && database->status().ok(); ++i) {
    if (i % kBatch == 0) database->Run(begin);
    append(i);
    if (i + 1 == count || (i + 1) % kBatch == 0) database->Run(commit);
  }
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

// What is written of one session's end, made before the clock starts.
struct Rows {
  std::string session_id, record_id, client, record, intervals, finished, released;
  int64_t negotiated_unix_ns = 0;
};

Rows MakeRows(const control::SessionEnd& end) {
  record::v1::Record record = end.records[0].record();
  record::v1::Record intervals;
  intervals.mutable_result()->mutable_intervals()->Swap(
      record.mutable_result()->mutable_intervals());
  return {.session_id = end.session_id,
          .record_id = record.record_id(),
          .client = record.client().value(),
          .record = record.SerializeAsString(),
          .intervals = intervals.SerializeAsString(),
          .finished = absl::StrCat(end.state, ": ", end.end_reason),
          .released = absl::StrCat(record.record_id(), ": no embargo in ", record.export_rule()),
          .negotiated_unix_ns = record.negotiated_at().seconds() * 1'000'000'000};
}

double InsertRows(Bare* database, uint64_t rows) {
  sqlite3_stmt* insert =
      database->Prepare("INSERT INTO records (record_id, at_unix_ns, record) VALUES (?, ?, ?)");
  std::vector<std::string> ids;
  for (uint64_t i = 0; i < rows; ++i) {
    const auto now_ms = static_cast<uint64_t>(absl::GetCurrentTimeNanos()) / 1'000'000;
    ids.push_back(control::Uuid::Generate(now_ms).ToString() + "-down");
  }
  const std::string record(kRecordBytes, 'r');
  return InBatches(database, rows, [&](uint64_t i) {
    Bind(insert, 1, ids[i]);
    sqlite3_bind_int64(insert, 2, absl::GetCurrentTimeNanos());
    BindBlob(insert, 3, record);
    database->Run(insert);
  });
}

}  // namespace

absl::StatusOr<double> AppendSameRows(const std::string& path,
                                      const std::vector<control::SessionEnd>& ends) {
  std::vector<Rows> all;
  for (const control::SessionEnd& end : ends) all.push_back(MakeRows(end));
  Bare database(path, kDurably);
  int64_t change = database.QueryInt("SELECT last_change FROM lifecycle");
  int64_t audit_id = database.QueryInt("SELECT max(id) FROM audit");
  sqlite3_stmt* record = database.Prepare(
      "INSERT INTO records (record_id, session_id, direction, outcome, negotiated_unix_ns, "
      "experiment, release_class, record, intervals, state, change) "
      "VALUES (?, ?, 1, 1, ?, 'weir', 1, ?, ?, 3, ?)");
  sqlite3_stmt* session = database.Prepare(
      "UPDATE sessions SET state = 'exported', end_reason = 'duration', finished_unix_ns = ?, "
      "peer = ?, client_address = NULL, requested = NULL, use_keys = NULL WHERE session_id = ?");
  sqlite3_stmt* audit = database.Prepare(
      "INSERT INTO audit (id, at_unix_ns, event, session_id, stage, rule, field, netblock, detail, "
      "count, trace, hash) VALUES (?, ?, ?, ?, '', ?, '', '', ?, 1, x'', ?)");
  sqlite3_stmt* changed = database.Prepare("UPDATE lifecycle SET last_change = ?");
  const std::string hash(32, 'h');
  const auto append_audit = [&](const Rows& rows, int64_t now, std::string_view event,
                                std::string_view rule, std::string_view detail) {
    sqlite3_bind_int64(audit, 1, ++audit_id);
    sqlite3_bind_int64(audit, 2, now);
    Bind(audit, 3, event);
    Bind(audit, 4, rows.session_id);
    Bind(audit, 5, rule);
    Bind(audit, 6, detail);
    BindBlob(audit, 7, hash);
    database.Run(audit);
  };
  const double seconds = InBatches(&database, all.size(), [&](uint64_t i) {
    const Rows& rows = all[i];
    const int64_t now = absl::GetCurrentTimeNanos();
    Bind(record, 1, rows.record_id);
    Bind(record, 2, rows.session_id);
    sqlite3_bind_int64(record, 3, rows.negotiated_unix_ns);
    BindBlob(record, 4, rows.record);
    BindBlob(record, 5, rows.intervals);
    sqlite3_bind_int64(record, 6, ++change);
    database.Run(record);
    sqlite3_bind_int64(session, 1, now);
    Bind(session, 2, rows.client);
    Bind(session, 3, rows.session_id);
    database.Run(session);
    append_audit(rows, now, "session_finished", "interactive", rows.finished);
    append_audit(rows, now, "record_released", "", rows.released);
    if (i + 1 == all.size() || (i + 1) % kBatch == 0) {
      sqlite3_bind_int64(changed, 1, change);
      database.Run(changed);
    }
  });
  if (!database.status().ok()) return database.status();
  return seconds;
}

absl::Status FillRows(const std::string& path, uint64_t rows) {
  {
    Bare database(path, kLoosely);
    database.Execute(
        "CREATE TABLE records (record_id TEXT PRIMARY KEY, at_unix_ns INTEGER, record BLOB)");
    InsertRows(&database, rows);
    if (!database.status().ok()) return database.status();
  }
  return SyncFile(path);
}

absl::StatusOr<double> AppendRows(const std::string& path, uint64_t rows) {
  Bare database(path, kDurably);
  const double seconds = InsertRows(&database, rows);
  if (!database.status().ok()) return database.status();
  return seconds;
}

}  // namespace weir::bench
