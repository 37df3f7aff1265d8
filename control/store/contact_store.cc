#include "control/store/contact_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "control/store/lifecycle_rows.h"

namespace weir::control {
namespace {

constexpr int64_t kContactApplicationId = 0x57454943;  // "WEIC"
constexpr int64_t kContactDayNs = int64_t{86'400} * 1'000'000'000;

// The clock's row is as in the store: AdvanceReleaseClock reads both.
constexpr char kContactSchema[] = R"sql(
CREATE TABLE contacts (
  session_id     TEXT PRIMARY KEY,
  experiment     TEXT NOT NULL,
  key_digest     TEXT NOT NULL,
  sealed         BLOB NOT NULL,
  stored_unix_ns INTEGER NOT NULL,
  delete_due_ns  INTEGER NOT NULL        -- By the release clock.
) STRICT, WITHOUT ROWID;
CREATE INDEX contacts_due ON contacts (delete_due_ns);
CREATE TABLE lifecycle (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  now_ns         INTEGER NOT NULL,
  boot_ns        INTEGER NOT NULL,
  boot_id        TEXT NOT NULL,
  anchor_wall_ns INTEGER NOT NULL,
  anchor_now_ns  INTEGER NOT NULL,
  down_time_open INTEGER NOT NULL
) STRICT;
INSERT INTO lifecycle VALUES (1, 0, 0, '', 0, 0, 0);
PRAGMA user_version = 1;
)sql";

// A file of the owner's alone, before SQLite would make one of everybody's.
absl::Status Touch(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (fd < 0) return absl::FailedPreconditionError(absl::StrCat(path, ": ", std::strerror(errno)));
  const bool owned = fchmod(fd, S_IRUSR | S_IWUSR) == 0;
  close(fd);
  return owned ? absl::OkStatus()
               : absl::FailedPreconditionError(absl::StrCat(path, ": ", std::strerror(errno)));
}

absl::Status Prepare(const std::string& path, Database* database) {
  absl::Status status = database->Execute(
      "PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; "
      "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA busy_timeout=2000;");
  if (!status.ok()) return status;
  const auto application = database->QueryInt("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const auto tables = database->QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  if (*tables == 0) {
    return database->Execute(absl::StrCat("BEGIN IMMEDIATE;", kContactSchema,
                                          "PRAGMA application_id=", kContactApplicationId,
                                          ";COMMIT;"));
  }
  if (*application != kContactApplicationId) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": not a file of contact details; give `contact_store` a path of its own"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Database*> ContactStore::Open(bool create) {
  if (database_) return &*database_;
  struct stat info = {};
  if (!create && stat(path_.c_str(), &info) != 0 && errno == ENOENT) return nullptr;
  if (absl::Status status = Touch(path_); !status.ok()) return status;
  auto opened = Database::Open(path_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
  if (!opened.ok()) return opened.status();
  if (absl::Status status = Prepare(path_, &*opened); !status.ok()) return status;
  database_ = *std::move(opened);
  return &*database_;
}

absl::Status ContactStore::Write(Database* database, const std::function<absl::Status()>& apply) {
  absl::Status status = database->Execute("BEGIN IMMEDIATE");
  if (status.ok()) status = apply();
  if (status.ok()) status = database->Execute("COMMIT");
  if (!status.ok() && database->InTransaction()) database->Execute("ROLLBACK").IgnoreError();
  return status;
}

absl::Status ContactStore::Check() {
  const std::lock_guard lock(mutex_);
  return Open(/*create=*/false).status();
}

absl::Status ContactStore::Keep(const ContactRow& row) {
  const std::lock_guard lock(mutex_);
  const auto database = Open(/*create=*/true);
  if (!database.ok()) return database.status();
  return Write(*database, [&] {
    const auto now = AdvanceReleaseClock(*database, clocks_());
    if (!now.ok()) return now.status();
    auto insert = (*database)->Prepare(
        "INSERT INTO contacts (session_id, experiment, key_digest, sealed, stored_unix_ns, "
        "delete_due_ns) VALUES (?, ?, ?, ?, ?, ?)");
    if (!insert.ok()) return insert.status();
    return insert->Bind(0, row.session_id)
        .Bind(1, row.experiment)
        .Bind(2, row.key_digest)
        .BindBlob(3, row.sealed)
        .Bind(4, absl::GetCurrentTimeNanos())
        .Bind(5, *now + row.keep_days * kContactDayNs)
        .Run();
  });
}

absl::StatusOr<std::vector<ContactRow>> ContactStore::List(const std::string& experiment,
                                                           bool with_sealed) {
  const std::lock_guard lock(mutex_);
  const auto database = Open(/*create=*/false);
  if (!database.ok()) return database.status();
  std::vector<ContactRow> rows;
  if (*database == nullptr) return rows;
  auto select = (*database)->Prepare(
      "SELECT session_id, experiment, key_digest, sealed, stored_unix_ns, delete_due_ns, "
      "length(sealed) FROM contacts WHERE ?1 = '' OR experiment = ?1 ORDER BY session_id");
  if (!select.ok()) return select.status();
  select->Bind(0, experiment);
  while (true) {
    const auto found = select->Step();
    if (!found.ok()) return found.status();
    if (!*found) return rows;
    rows.push_back({.session_id = select->Text(0),
                    .experiment = select->Text(1),
                    .key_digest = select->Text(2),
                    .sealed = with_sealed ? select->Text(3) : std::string(),
                    .stored_unix_ns = select->Int(4),
                    .delete_due_ns = select->Int(5),
                    .sealed_bytes = static_cast<uint32_t>(select->Int(6))});
  }
}

absl::StatusOr<bool> ContactStore::Erase(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  const auto database = Open(/*create=*/false);
  if (!database.ok()) return database.status();
  if (*database == nullptr) return false;
  int64_t erased = 0;
  absl::Status status = Write(*database, [&] {
    auto statement = (*database)->Prepare("DELETE FROM contacts WHERE session_id = ?");
    if (!statement.ok()) return statement.status();
    absl::Status run = statement->Bind(0, session_id).Run();
    erased = (*database)->Changes();
    return run;
  });
  if (!status.ok()) return status;
  return erased != 0;
}

absl::StatusOr<std::vector<std::string>> ContactStore::DeleteDue(Database* database) {
  const auto now = AdvanceReleaseClock(database, clocks_());
  if (!now.ok()) return now.status();
  auto remove = database->Prepare(
      "DELETE FROM contacts WHERE delete_due_ns <= ? RETURNING "
      "session_id");
  if (!remove.ok()) return remove.status();
  remove->Bind(0, *now);
  std::vector<std::string> sessions;
  while (true) {
    const auto row = remove->Step();
    if (!row.ok()) return row.status();
    if (!*row) return sessions;
    sessions.push_back(remove->Text(0));
  }
}

absl::StatusOr<std::vector<std::string>> ContactStore::RunDeadlines() {
  const std::lock_guard lock(mutex_);
  const auto database = Open(/*create=*/false);
  if (!database.ok()) return database.status();
  std::vector<std::string> sessions;
  if (*database == nullptr) return sessions;
  absl::Status status = Write(*database, [&] {
    auto deleted = DeleteDue(*database);
    if (!deleted.ok()) return deleted.status();
    sessions = *std::move(deleted);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return sessions;
}

uint64_t ContactStore::Count() {
  const std::lock_guard lock(mutex_);
  const auto database = Open(/*create=*/false);
  if (!database.ok() || *database == nullptr) return 0;
  const auto count = (*database)->QueryInt("SELECT count(*) FROM contacts");
  return count.ok() ? static_cast<uint64_t>(*count) : 0;
}

}  // namespace weir::control
