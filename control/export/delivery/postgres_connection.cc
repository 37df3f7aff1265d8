#include "control/export/delivery/postgres_connection.h"

#include <arpa/inet.h>
#include <poll.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace weir::control {
namespace {

using Clock = std::chrono::steady_clock;

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPointer = std::unique_ptr<PGresult, FreeResult>;

bool IsNetworkAddress(const std::string& text) {
  in6_addr any;
  return inet_pton(AF_INET, text.c_str(), &any) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &any) == 1;
}

absl::Status Lost(PGconn* connection) {
  return absl::UnavailableError(
      absl::StrCat("PostgreSQL: ", WithoutAddresses(PQerrorMessage(connection))));
}

absl::Status ServerRefusal(const PGresult* result) {
  const char* code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  return absl::FailedPreconditionError(
      absl::StrCat("PostgreSQL: ", WithoutAddresses(message == nullptr ? "refused" : message), " (",
                   code == nullptr ? "no code" : code, ")"));
}

PostgresRows ReadRows(const PGresult* result) {
  PostgresRows rows(static_cast<size_t>(PQntuples(result)));
  for (size_t row = 0; row < rows.size(); ++row) {
    for (int column = 0; column < PQnfields(result); ++column) {
      rows[row].emplace_back(
          PQgetvalue(result, static_cast<int>(row), column),
          static_cast<size_t>(PQgetlength(result, static_cast<int>(row), column)));
    }
  }
  return rows;
}

}  // namespace

absl::Status CheckConninfo(const std::string& conninfo) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(conninfo.c_str(), &error), PQconninfoFree);
  PQfreemem(error);  // It quotes the text, which may have a password in it.
  if (conninfo.empty() || options == nullptr) {
    return absl::InvalidArgumentError(
        "required: libpq's connection string, such as \"service=weir\" or "
        "\"host=/run/postgresql dbname=weir user=weir_export\"");
  }
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    const std::string_view keyword = option->keyword;
    if (option->val == nullptr || (keyword != "password" && keyword != "sslpassword")) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("no ", option->keyword, " here; keep it in password_file (mode 0600)"));
  }
  return absl::OkStatus();
}

std::string WithoutAddresses(const std::string& message) {
  std::string kept, word;
  const auto take_word = [&] {
    kept += IsNetworkAddress(word) ? "(address)" : word;
    word.clear();
  };
  for (const char c : message) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0 || c == '.' || c == ':') {
      word += c;
      continue;
    }
    take_word();
    kept += c == '\n' || c == '\t' ? ' ' : c;
  }
  take_word();
  return std::string(absl::StripAsciiWhitespace(kept));
}

absl::StatusOr<PostgresConnection> PostgresConnection::Open(const std::string& conninfo,
                                                            const std::string& password_file) {
  // What comes before the connection string is a default, what comes after it holds.
  std::vector<const char*> keywords{"connect_timeout", "keepalives_idle", "tcp_user_timeout",
                                    "dbname", "application_name"};
  std::vector<const char*> values{"10", "10", "20000", conninfo.c_str(), "weir-export"};
  if (!password_file.empty()) {
    keywords.push_back("passfile");
    values.push_back(password_file.c_str());
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  PostgresConnection opened(PQconnectdbParams(keywords.data(), values.data(), 1));
  PGconn* const connection = opened.connection_.get();
  if (connection == nullptr || PQstatus(connection) != CONNECTION_OK) return Lost(connection);
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  if (PQsetnonblocking(connection, 1) != 0 || PQsetClientEncoding(connection, "UTF8") != 0) {
    return Lost(connection);
  }
  return opened;
}

absl::Status PostgresConnection::Send(const std::string& sql,
                                      const std::vector<std::string>& parameters) {
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  const int sent = values.empty() ? PQsendQuery(connection_.get(), sql.c_str())
                                  : PQsendQueryParams(connection_.get(), sql.c_str(),
                                                      static_cast<int>(values.size()), nullptr,
                                                      values.data(), nullptr, nullptr, 0);
  return sent == 1 ? absl::OkStatus() : Lost(connection_.get());
}

// Until all is sent and PQgetResult would not wait.
absl::Status PostgresConnection::AwaitAnswer(std::optional<std::chrono::seconds> deadline) {
  PGconn* const connection = connection_.get();
  const Clock::time_point end = Clock::now() + deadline.value_or(std::chrono::hours(24));
  while (true) {
    const int unsent = PQflush(connection);
    if (unsent < 0 || PQconsumeInput(connection) == 0) return Lost(connection);
    if (unsent == 0 && PQisBusy(connection) == 0) return absl::OkStatus();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) {
      return absl::DeadlineExceededError("PostgreSQL: no answer in time; is the server hanging?");
    }
    pollfd socket{.fd = PQsocket(connection), .events = POLLIN, .revents = 0};
    if (unsent > 0) socket.events |= POLLOUT;
    poll(&socket, 1, static_cast<int>(left));
  }
}

absl::StatusOr<PostgresRows> PostgresConnection::Execute(
    const std::string& sql, const std::vector<std::string>& parameters,
    std::optional<std::chrono::seconds> deadline) {
  if (absl::Status status = Send(sql, parameters); !status.ok()) return status;
  absl::StatusOr<PostgresRows> answer = PostgresRows{};
  while (true) {
    if (absl::Status status = AwaitAnswer(deadline); !status.ok()) return status;
    const ResultPointer result(PQgetResult(connection_.get()));
    if (result == nullptr) break;
    const ExecStatusType kind = PQresultStatus(result.get());
    if (kind == PGRES_TUPLES_OK || kind == PGRES_COMMAND_OK) {
      if (answer.ok()) answer = ReadRows(result.get());
    } else if (answer.ok()) {
      answer = ServerRefusal(result.get());
    }
  }
  if (PQstatus(connection_.get()) != CONNECTION_OK) return Lost(connection_.get());
  return answer;
}

}  // namespace weir::control
