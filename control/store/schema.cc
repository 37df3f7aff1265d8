#include "control/store/schema.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "control/store/audit_log.h"
#include "control/store/lifecycle_rows.h"

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
  event      TEXT NOT NULL,               -- session_begun, session_finished, rejected.
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
)sql",
                                                             R"sql(
DROP INDEX audit_rejected;
ALTER TABLE audit RENAME TO audit_unchained;  -- Read by ChainAudit.

-- Only ever appended to: see audit_log.h.
CREATE TABLE audit (
  id         INTEGER PRIMARY KEY,         -- From 1, without a gap.
  at_unix_ns INTEGER NOT NULL,
  event      TEXT NOT NULL,
  session_id TEXT NOT NULL,
  stage      TEXT NOT NULL,
  rule       TEXT NOT NULL,
  field      TEXT NOT NULL,
  netblock   TEXT NOT NULL,               -- Never a full address.
  detail     TEXT NOT NULL,
  count      INTEGER NOT NULL,
  trace      BLOB NOT NULL,               -- policy.v1.Trace
  hash       BLOB NOT NULL                -- Of this row and the hash before it.
) STRICT;
CREATE INDEX audit_session ON audit (session_id) WHERE session_id <> '';

-- Refusals of a minute that may not be over: a row of the log cannot be counted up.
CREATE TABLE rejections (
  minute_unix_ns INTEGER NOT NULL,
  stage          TEXT NOT NULL,
  rule           TEXT NOT NULL,
  field          TEXT NOT NULL,
  netblock       TEXT NOT NULL,
  detail         TEXT NOT NULL,           -- Of the first, as is the trace.
  trace          BLOB NOT NULL,
  count          INTEGER NOT NULL,
  PRIMARY KEY (minute_unix_ns, stage, rule, field, netblock)
) STRICT, WITHOUT ROWID;
)sql",
                                                             R"sql(
CREATE TABLE usage (
  key               BLOB PRIMARY KEY,     -- A hash: nobody's address or name.
  day               INTEGER NOT NULL,     -- UTC, since the epoch.
  tests             INTEGER NOT NULL,
  bytes             INTEGER NOT NULL,
  not_before_unix_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_day ON usage (day);
ALTER TABLE sessions ADD COLUMN use_keys BLOB;  -- 16 bytes each; NULL once finished.

CREATE TABLE used_tokens (
  key            BLOB PRIMARY KEY,        -- A hash of issuer and jti.
  expires_unix_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE egress (
  port       TEXT NOT NULL,
  at_unix_ns INTEGER NOT NULL,
  bytes      INTEGER NOT NULL,
  boot_id    BLOB NOT NULL,               -- Of the dataplane that counted.
  tx_bytes   INTEGER NOT NULL,            -- The port's counter when they were over.
  PRIMARY KEY (port, at_unix_ns)
) STRICT, WITHOUT ROWID;
)sql",
                                                             R"sql(
CREATE TABLE flows (
  key          BLOB NOT NULL,             -- A keyed hash of the 5-tuple; the key is not here.
  from_unix_ns INTEGER NOT NULL,
  session_id   TEXT NOT NULL,
  to_unix_ns   INTEGER,                   -- NULL: it runs.
  PRIMARY KEY (key, from_unix_ns, session_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX flows_session ON flows (session_id);
CREATE INDEX flows_end ON flows (to_unix_ns) WHERE to_unix_ns IS NOT NULL;
)sql",
                                                             R"sql(
-- Times are the release clock's: release_clock.h.
ALTER TABLE records ADD COLUMN state INTEGER NOT NULL DEFAULT 1;  -- record.v1.ReleaseState
ALTER TABLE records ADD COLUMN release_due_ns INTEGER;
ALTER TABLE records ADD COLUMN anonymise_due_ns INTEGER;
-- The number of its last change, which rises over all records; and of the one that took the
-- client's address out, 0 if it is as it was stored.
ALTER TABLE records ADD COLUMN change INTEGER NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
UPDATE records SET change = rowid, state = CASE release_class WHEN 1 THEN 3 ELSE 1 END;
CREATE INDEX records_change ON records (change);
CREATE INDEX records_release_due ON records (release_due_ns) WHERE release_due_ns IS NOT NULL;
CREATE INDEX records_anonymise_due ON records (anonymise_due_ns)
  WHERE anonymise_due_ns IS NOT NULL;

CREATE TABLE lifecycle (                  -- One row.
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  last_change    INTEGER NOT NULL,
  now_ns         INTEGER NOT NULL,        -- The release clock.
  boot_ns        INTEGER NOT NULL,
  boot_id        TEXT NOT NULL,
  anchor_wall_ns INTEGER NOT NULL,
  anchor_now_ns  INTEGER NOT NULL,
  down_time_open INTEGER NOT NULL
) STRICT;
INSERT INTO lifecycle SELECT 1, coalesce(max(change), 0), 0, 0, '', 0, 0, 0 FROM records;
)sql",
                                                             R"sql(
CREATE TABLE destinations (
  destination    TEXT PRIMARY KEY,
  terms          TEXT NOT NULL,           -- What decides which records may go there.
  settled_change INTEGER NOT NULL         -- Nothing up to this one is left to be delivered.
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (                 -- What is settled; delivery never deletes.
  destination TEXT NOT NULL,
  record_id   TEXT NOT NULL REFERENCES records ON DELETE CASCADE,
  kind        INTEGER NOT NULL,           -- 0 the record, 1 its erasure, 2 a refused update.
  version     INTEGER NOT NULL,           -- The record's change that was delivered; -1: refused.
  at_unix_ns  INTEGER NOT NULL,
  reason      TEXT NOT NULL,              -- Of a refusal.
  PRIMARY KEY (destination, record_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_dead ON deliveries (at_unix_ns) WHERE version < 0;
)sql",
                                                             R"sql(
ALTER TABLE records ADD COLUMN keep_days INTEGER NOT NULL DEFAULT 0;  -- 0: for good.
ALTER TABLE records ADD COLUMN delete_due_ns INTEGER;
ALTER TABLE deliveries ADD COLUMN settled_ns INTEGER NOT NULL DEFAULT 0;  -- The release clock's.
CREATE INDEX records_delete_due ON records (delete_due_ns) WHERE delete_due_ns IS NOT NULL;
)sql"};

// What SQL alone cannot do for a version, after its script.
absl::Status FinishMigration(Database* database, int64_t version) {
  if (version == 5) return AuditFirstStates(database);
  if (version != 2) return absl::OkStatus();
  if (absl::Status status = ChainAudit(database); !status.ok()) return status;
  return database->Execute("DROP TABLE audit_unchained");
}

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

absl::Status Migrate(Database* database, int64_t to) {
  const auto version = database->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version >= to) return absl::OkStatus();

  absl::Status status = database->Execute("BEGIN IMMEDIATE");
  for (int64_t from = *version; status.ok() && from < to; ++from) {
    status = database->Execute(kMigrations[static_cast<size_t>(from)]);
    if (status.ok()) status = FinishMigration(database, from + 1);
  }
  if (status.ok()) {
    status = database->Execute(absl::StrCat("PRAGMA application_id=", kStoreApplicationId,
                                            ";PRAGMA user_version=", to, ";COMMIT;"));
  }
  if (!status.ok() && database->InTransaction()) database->Execute("ROLLBACK").IgnoreError();
  return status;
}

}  // namespace weir::control
