// A connection to a PostgreSQL server that never keeps its caller waiting for ever.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_POSTGRES_CONNECTION_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_POSTGRES_CONNECTION_H_

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace weir::control {

// The rows of one answer, as text; "" also for NULL.
using PostgresRows = std::vector<std::vector<std::string>>;

// OK, or what is wrong with it; with a password in it, it is refused. Says nothing of its text.
absl::Status CheckConninfo(const std::string& conninfo);

// What a message of the server or of libpq says, on one line, without network addresses in it.
std::string WithoutAddresses(const std::string& message);

// Used by one thread. After Unavailable or DeadlineExceeded it is of no use any more.
class PostgresConnection {
 public:
  // `password_file`: "" for libpq's default. Unavailable: not reached, or not let in.
  static absl::StatusOr<PostgresConnection> Open(const std::string& conninfo,
                                                 const std::string& password_file);

  // Major times 10,000 and minor.
  int server_version() const { return PQserverVersion(connection_.get()); }

  // One statement with $1, $2, ..., of which nothing is interpreted; without parameters it may be
  // several statements. FailedPrecondition: the server refuses it; Unavailable, DeadlineExceeded:
  // whether it was done is not known.
  absl::StatusOr<PostgresRows> Execute(
      const std::string& sql, const std::vector<std::string>& parameters = {},
      std::optional<std::chrono::seconds> deadline = std::chrono::seconds(30));

 private:
  struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  explicit PostgresConnection(PGconn* connection) : connection_(connection) {}

  absl::Status Send(const std::string& sql, const std::vector<std::string>& parameters);
  absl::Status AwaitAnswer(std::optional<std::chrono::seconds> deadline);

  std::unique_ptr<PGconn, Close> connection_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_POSTGRES_CONNECTION_H_
