// Thin ownership and error mapping over the SQLite C API.
#ifndef WEIR_CONTROL_STORE_SQLITE_H_
#define WEIR_CONTROL_STORE_SQLITE_H_

#include <sqlite3.h>

#include <any>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <typeindex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace weir::control {

// A prepared statement, on loan from its database: compiling one costs as much as running it, so
// it goes back there to be used again, and must not outlive it. Parameters and columns count from
// 0. Not thread-safe.
class Statement {
 public:
  // Text and bytes are not copied: they must stay until the statement was run or reset. What is
  // bound stays bound for the next run.
  Statement& Bind(int index, int64_t value);
  Statement& Bind(int index, std::string_view text);
  Statement& BindBlob(int index, std::string_view bytes);

  // True: a row is there.
  absl::StatusOr<bool> Step();
  // Runs a statement that returns no rows, and resets it.
  absl::Status Run();
  void Reset() { sqlite3_reset(statement_.get()); }

  int64_t Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  bool IsNull(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
  }
  std::string Text(int column) const;  // Of a TEXT or BLOB; NULL is empty.

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  // Those of one text that nobody uses, reset and without bindings.
  using Shelf = std::vector<std::unique_ptr<sqlite3_stmt, Finalize>>;
  struct Return {
    void operator()(sqlite3_stmt* statement) const;
    Shelf* shelf;
  };
  Statement(sqlite3_stmt* statement, Shelf* shelf) : statement_(statement, Return{shelf}) {}

  std::unique_ptr<sqlite3_stmt, Return> statement_;
};

// A connection, used by one thread at a time.
class Database {
 public:
  static absl::StatusOr<Database> Open(const std::string& path, int flags);

  // Any number of statements, none of which is kept.
  absl::Status Execute(const std::string& sql);
  // One statement. Callers have few texts and bind what differs: each is kept. A literal is known
  // by where it lies, which saves looking at it; any other text by what it says.
  template <size_t N>
  absl::StatusOr<Statement> Prepare(const char (&literal)[N]) {
    return TakeFrom(&literals_[literal], std::string_view(literal, N - 1));
  }
  absl::StatusOr<Statement> Prepare(const std::string& sql) { return TakeFrom(&texts_[sql], sql); }
  // Prepares and runs one that returns no rows.
  template <size_t N>
  absl::Status Run(const char (&literal)[N]) {
    auto statement = Prepare(literal);
    return statement.ok() ? statement->Run() : statement.status();
  }
  absl::StatusOr<int64_t> QueryInt(const std::string& sql);
  absl::StatusOr<std::string> QueryText(const std::string& sql);

  // A value of the transaction that is open, one of each type, gone with it: for what only this
  // connection changes, so that a transaction reads it once; whoever changes it changes both. Null:
  // none is kept.
  template <typename T>
  T* Kept() {
    return std::any_cast<T>(&transaction_->kept[std::type_index(typeid(T))]);
  }
  // Null outside of a transaction: it is not kept.
  template <typename T>
  T* Keep(T value) {
    if (!InTransaction()) return nullptr;
    return &transaction_->kept[std::type_index(typeid(T))].emplace<T>(std::move(value));
  }
  // To be done by Commit, or before the next savepoint: for what is written once a transaction
  // instead of at each change. Only in a transaction, whose COMMIT is refused as long as this was
  // not done.
  void BeforeCommit(std::function<absl::Status()> write) {
    transaction_->unwritten.push_back(std::move(write));
  }

  absl::Status Commit();
  absl::Status Savepoint();
  // Takes back what was done since Savepoint; ROLLBACK does so with the transaction.
  absl::Status RollbackToSavepoint();
  absl::Status ReleaseSavepoint();

  // Leaves checkpoints to others. LogPages: in the write-ahead log after this connection's last
  // commit, as far as they must still be kept.
  void WatchLog();
  int LogPages() const { return *log_pages_; }

  bool InTransaction() const { return sqlite3_get_autocommit(connection_.get()) == 0; }
  int64_t Changes() const { return sqlite3_changes64(connection_.get()); }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };
  absl::Status WriteUnwritten();
  absl::StatusOr<Statement> TakeFrom(Statement::Shelf* shelf, std::string_view sql);

  // Of the open transaction. On the heap: the connection's hooks know where.
  struct Transaction {
    std::unordered_map<std::type_index, std::any> kept;
    std::vector<std::function<absl::Status()>> unwritten;
  };
  std::unique_ptr<Transaction> transaction_ = std::make_unique<Transaction>();
  std::unique_ptr<int> log_pages_ = std::make_unique<int>(0);
  std::unique_ptr<sqlite3, Close> connection_;
  // Statements go before their connection. A shelf stays where it is, whatever is added.
  std::unordered_map<const char*, Statement::Shelf> literals_;
  std::unordered_map<std::string, Statement::Shelf> texts_;
};

// How errors are told apart: ResourceExhausted (disk full), DataLoss (damaged), AlreadyExists
// (a key is taken), InvalidArgument (this statement can never work), Unavailable (anything that
// may pass: input/output, locks, memory).
absl::Status SqliteError(sqlite3* connection, int code);

// True for errors of the statement itself: trying again cannot help.
bool IsPermanent(const absl::Status& status);

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_SQLITE_H_
