#include "control/store/schema.h"

#include <array>

#include "absl/strings/str_cat.h"

namespace weir::control {
namespace {

// Each entry leads from the version of its index to the next. Never edit one that was released.
constexpr std::array<const char*, kStoreVersion> kMigrations{R"sql(
CREATE TABLE sessions (
  session_id       TEXT PRIMARY KEY,      -- UUIDv7, so rows lie in the order of time.
  role             TEXT NOT NULL,
  state            TEXT NOT NULL,         -- admitted, exported, aborted, withheld.
  end_reason       TEXT NOT NULL DEFAULT '',
  started_unix_ns  INTEGER NOT NULL,
  finished_unix_ns INTEGER,               -- NULL: must be finished after a crash.
  admission_rule   TEXT NOT NULL,
  policy_digest    TEXT NOT NULL,
  experiment       TEXT NOT NULL,
  purpose          TEXT NOT NULL,
  client_address   TEXT,                  -- NULL once finished.
  peer             TEXT NOT NULL DEFAULT '',  -- In the address mode of the records.
  requested        BLOB,                  -- NULL once finished: it holds addresses.
  granted          BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_unfinished ON sessions (session_id) WHERE finished_unix_ns IS NULL;

CREATE TABLE intervals (
  session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
  direction  INTEGER NOT NULL,
  number     INTEGER NOT NULL,
  interval   BLOB NOT NULL,               -- record.v1.Interval
  PRIMARY KEY (session_id, direction, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
  record_id          TEXT PRIMARY KEY,
  session_id         TEXT NOT NULL REFERENCES sessions,
  direction          INTEGER NOT NULL,
  outcome            INTEGER NOT NULL,
  negotiated_unix_ns INTEGER NOT NULL,
  experiment         TEXT NOT NULL,
  release_class      INTEGER NOT NULL,
  record             BLOB NOT NULL,       -- record.v1.Record without result.intervals
  intervals          BLOB NOT NULL        -- record.v1.Record with nothing else
) STRICT;

CREATE TABLE audit (
  id         INTEGER PRIMARY KEY,
  at_unix_ns INTEGER NOT NULL,
  event      TEXT NOT NULL,               -- session_begun, rejected, policy_applied, ...
  session_id TEXT NOT NULL DEFAULT '',
  stage      TEXT NOT NULL DEFAULT '',
  rule       TEXT NOT NULL DEFAULT '',
  field      TEXT NOT NULL DEFAULT '',
  netblock   TEXT NOT NULL DEFAULT '',    -- Never a full address.
  detail     TEXT NOT NULL DEFAULT '',
  count      INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE UNIQUE INDEX audit_rejected ON audit (at_unix_ns, stage, rule, field, netblock)
  WHERE event = 'rejected';
)sql"};

}  // namespace

absl::Status CheckOwner(const std::string& path, Database* database) {
  const auto application = database->QueryInt("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const auto version = database->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  const auto tables = database->QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  if (*application != kStoreApplicationId && *tables != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": a database of another program; give `store` a path of its own"));
  }
  if (*version > kStoreVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": written by a newer Weir (store version ", *version,
                     ", this one knows ", kStoreVersion, "); install that version"));
  }
  return absl::OkStatus();
}

absl::Status Migrate(Database* database) {
  const auto version = database->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version == kStoreVersion) return absl::OkStatus();

  std::string script = "BEGIN IMMEDIATE;";
  for (int64_t from = *version; from < kStoreVersion; ++from) {
    absl::StrAppend(&script, kMigrations[static_cast<size_t>(from)]);
  }
  absl::StrAppend(&script, "PRAGMA application_id=", kStoreApplicationId,
                  ";PRAGMA user_version=", kStoreVersion, ";COMMIT;");
  absl::Status status = database->Execute(script);
  if (!status.ok() && database->InTransaction()) database->Execute("ROLLBACK").IgnoreError();
  return status;
}

}  // namespace weir::control
