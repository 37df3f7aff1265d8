#include "control/store/sqlite.h"

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace weir::control {

absl::Status SqliteError(sqlite3* connection, int code) {
  const std::string message =
      connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
  const bool no_space =
      connection != nullptr && (code & 0xFF) == SQLITE_IOERR &&
      (sqlite3_system_errno(connection) == ENOSPC || sqlite3_system_errno(connection) == EDQUOT);
  if (no_space) return absl::ResourceExhaustedError("no space left on the store's disk");
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError("no space left on the store's disk");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(message);
    case SQLITE_CONSTRAINT:
      return (code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_UNIQUE)
                 ? absl::AlreadyExistsError(message)
                 : absl::InvalidArgumentError(message);
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_MISUSE:
    case SQLITE_ERROR:
      return absl::InvalidArgumentError(message);
    default:
      return absl::UnavailableError(message);
  }
}

bool IsPermanent(const absl::Status& status) {
  return absl::IsAlreadyExists(status) || absl::IsInvalidArgument(status) ||
         absl::IsNotFound(status) || absl::IsPermissionDenied(status);
}

Statement& Statement::Bind(int index, int64_t value) {
  sqlite3_bind_int64(statement_.get(), index + 1, value);
  return *this;
}

Statement& Statement::Bind(int index, std::string_view text) {
  sqlite3_bind_text64(statement_.get(), index + 1, text.data() != nullptr ? text.data() : "",
                      text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::BindBlob(int index, std::string_view bytes) {
  // A null pointer would bind NULL; an empty blob is a value.
  sqlite3_bind_blob64(statement_.get(), index + 1, bytes.data() != nullptr ? bytes.data() : "",
                      bytes.size(), SQLITE_STATIC);
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return SqliteError(sqlite3_db_handle(statement_.get()), code);
}

absl::Status Statement::Run() {
  absl::Status status = Step().status();
  Reset();
  return status;
}

void Statement::Return::operator()(sqlite3_stmt* statement) const {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  shelf->emplace_back(statement);
}

std::string Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes == nullptr ? std::string()
                          : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

absl::StatusOr<Database> Database::Open(const std::string& path, int flags) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database database;
  database.connection_.reset(raw);
  if (code != SQLITE_OK) return SqliteError(raw, code);
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, 5000);
  sqlite3_rollback_hook(
      raw, [](void* transaction) { *static_cast<Transaction*>(transaction) = {}; },
      database.transaction_.get());
  sqlite3_commit_hook(
      raw,
      [](void* transaction) {
        const bool whole = static_cast<Transaction*>(transaction)->unwritten.empty();
        *static_cast<Transaction*>(transaction) = {};
        return whole ? 0 : 1;  // 1: it is rolled back instead.
      },
      database.transaction_.get());
  return database;
}

absl::Status Database::Execute(const std::string& sql) {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : SqliteError(connection_.get(), code);
}

void Database::WatchLog() {
  sqlite3_wal_hook(
      connection_.get(),
      [](void* log_pages, sqlite3*, const char*, int pages) {
        *static_cast<int*>(log_pages) = pages;
        return SQLITE_OK;
      },
      log_pages_.get());
}

absl::Status Database::WriteUnwritten() {
  for (const auto& write : std::exchange(transaction_->unwritten, {})) {
    if (absl::Status status = write(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Database::Commit() {
  if (absl::Status status = WriteUnwritten(); !status.ok()) return status;
  absl::Status status = Run("COMMIT");
  if (status.ok()) *transaction_ = {};  // The hook is not called if nothing was written.
  return status;
}

absl::Status Database::Savepoint() {
  if (absl::Status status = WriteUnwritten(); !status.ok()) return status;
  return Run("SAVEPOINT operation");
}

absl::Status Database::RollbackToSavepoint() {
  *transaction_ = {};  // It may be of what is taken back; what was before is read again.
  return Run("ROLLBACK TO operation");
}

absl::Status Database::ReleaseSavepoint() { return Run("RELEASE operation"); }

absl::StatusOr<Statement> Database::TakeFrom(Statement::Shelf* shelf, std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  if (!shelf->empty()) {
    raw = shelf->back().release();
    shelf->pop_back();
  } else {
    const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK) return SqliteError(connection_.get(), code);
  }
  return Statement(raw, shelf);
}

absl::StatusOr<int64_t> Database::QueryInt(const std::string& sql) {
  auto statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  const auto row = statement->Step();
  if (!row.ok()) return row.status();
  return *row ? statement->Int(0) : 0;
}

absl::StatusOr<std::string> Database::QueryText(const std::string& sql) {
  auto statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  const auto row = statement->Step();
  if (!row.ok()) return row.status();
  return *row ? statement->Text(0) : std::string();
}

}  // namespace weir::control
