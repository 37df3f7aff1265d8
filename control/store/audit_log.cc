#include "control/store/audit_log.h"

#include <charconv>
#include <iterator>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/admission/digest.h"

namespace weir::control {
namespace {

constexpr char kColumns[] =
    "id, at_unix_ns, event, session_id, stage, rule, field, netblock, detail, count, trace, hash";

// What is hashed, field by field.
class Message {
 public:
  Message() { text_.reserve(kUsualBytes); }

  Message& Add(std::string_view bytes) {
    char length[sizeof(uint64_t)];
    for (size_t i = 0; i < sizeof(length); ++i) {
      length[i] = static_cast<char>(uint64_t{bytes.size()} >> (56 - 8 * i));
    }
    text_.append(length, sizeof(length)).append(bytes);
    return *this;
  }
  Message& Add(int64_t number) {
    char digits[std::numeric_limits<int64_t>::digits10 + 2];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), number);
    return Add(std::string_view(digits, static_cast<size_t>(end.ptr - digits)));
  }

  const std::string& text() const { return text_; }

 private:
  static constexpr size_t kUsualBytes = 512;
  std::string text_;
};

// The log's end as the open transaction knows it. Of no row: id 0 and no hash.
struct LogEnd {
  AuditHead head;
};

absl::StatusOr<AuditHead> FindEnd(Database* database) {
  if (const LogEnd* end = database->Kept<LogEnd>()) return end->head;
  const auto head = SelectAuditHead(database);
  if (!head.ok()) return head.status();
  return head->value_or(AuditHead{});
}

AuditRow ReadRow(const Statement& statement) {
  return {.id = statement.Int(0),
          .at_unix_ns = statement.Int(1),
          .event = statement.Text(2),
          .session_id = statement.Text(3),
          .stage = statement.Text(4),
          .rule = statement.Text(5),
          .field = statement.Text(6),
          .netblock = statement.Text(7),
          .detail = statement.Text(8),
          .count = statement.Int(9),
          .trace = statement.Text(10),
          .hash = statement.Text(11)};
}

}  // namespace

std::string AuditHash(const std::string& previous, const AuditRow& row) {
  Message message;
  message.Add(previous)
      .Add(row.id)
      .Add(row.at_unix_ns)
      .Add(row.event)
      .Add(row.session_id)
      .Add(row.stage)
      .Add(row.rule)
      .Add(row.field)
      .Add(row.netblock)
      .Add(row.detail)
      .Add(row.count)
      .Add(row.trace);
  return Sha256(message.text());
}

absl::Status AppendAudit(Database* database, AuditRow row) {
  const auto end = FindEnd(database);
  if (!end.ok()) return end.status();
  row.id = end->id + 1;
  row.hash = AuditHash(end->hash, row);
  auto statement = database->Prepare(
      "INSERT INTO audit (id, at_unix_ns, event, session_id, stage, rule, field, netblock, detail, "
      "count, trace, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!statement.ok()) return statement.status();
  absl::Status status = statement->Bind(0, row.id)
                            .Bind(1, row.at_unix_ns)
                            .Bind(2, row.event)
                            .Bind(3, row.session_id)
                            .Bind(4, row.stage)
                            .Bind(5, row.rule)
                            .Bind(6, row.field)
                            .Bind(7, row.netblock)
                            .Bind(8, row.detail)
                            .Bind(9, row.count)
                            .BindBlob(10, row.trace)
                            .BindBlob(11, row.hash)
                            .Run();
  if (status.ok()) database->Keep(LogEnd{{.id = row.id, .hash = std::move(row.hash)}});
  return status;
}

absl::Status ChainAudit(Database* database) {
  auto rows = database->Prepare(
      "SELECT id, at_unix_ns, event, session_id, stage, rule, field, "
      "netblock, detail, count FROM audit_unchained ORDER BY id");
  if (!rows.ok()) return rows.status();
  while (true) {
    const auto found = rows->Step();
    if (!found.ok()) return found.status();
    if (!*found) return absl::OkStatus();
    AuditRow row{.at_unix_ns = rows->Int(1),
                 .event = rows->Text(2),
                 .session_id = rows->Text(3),
                 .stage = rows->Text(4),
                 .rule = rows->Text(5),
                 .field = rows->Text(6),
                 .netblock = rows->Text(7),
                 .detail = rows->Text(8),
                 .count = rows->Int(9)};
    if (absl::Status status = AppendAudit(database, std::move(row)); !status.ok()) return status;
  }
}

absl::StatusOr<std::vector<AuditRow>> SelectAudit(Database* database, const AuditFilter& filter) {
  auto statement = database->Prepare(
      absl::StrCat("SELECT ", kColumns,
                   " FROM audit WHERE (?1 = 0 OR id < ?1) AND (?2 = '' OR event = ?2) AND "
                   "(?3 = '' OR session_id = ?3) ORDER BY id DESC LIMIT ?4"));
  if (!statement.ok()) return statement.status();
  statement->Bind(0, filter.before_id)
      .Bind(1, filter.event)
      .Bind(2, filter.session_id)
      .Bind(3, int64_t{filter.limit});
  std::vector<AuditRow> rows;
  while (true) {
    const auto found = statement->Step();
    if (!found.ok()) return found.status();
    if (!*found) return rows;
    rows.push_back(ReadRow(*statement));
  }
}

absl::StatusOr<std::optional<AuditHead>> SelectAuditHead(Database* database) {
  auto statement = database->Prepare("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1");
  if (!statement.ok()) return statement.status();
  const auto found = statement->Step();
  if (!found.ok()) return found.status();
  if (!*found) return std::nullopt;
  return AuditHead{.id = statement->Int(0), .hash = statement->Text(1)};
}

absl::StatusOr<AuditVerdict> VerifyAudit(Database* database,
                                         const std::optional<AuditHead>& anchor) {
  auto statement = database->Prepare(absl::StrCat("SELECT ", kColumns, " FROM audit ORDER BY id"));
  if (!statement.ok()) return statement.status();
  AuditVerdict verdict;
  const auto broken = [&](int64_t id, std::string why) {
    verdict.first_broken_id = id;
    verdict.why = std::move(why);
    return verdict;
  };
  while (true) {
    const auto found = statement->Step();
    if (!found.ok()) return found.status();
    if (!*found) break;
    const AuditRow row = ReadRow(*statement);
    const int64_t expected = verdict.head.id + 1;
    if (row.id != expected) return broken(expected, absl::StrCat("row ", expected, " is missing"));
    if (row.hash != AuditHash(verdict.head.hash, row)) {
      return broken(row.id, absl::StrCat("row ", row.id,
                                         " was changed after it was written, or the row before it "
                                         "was replaced"));
    }
    if (anchor && anchor->id == row.id && anchor->hash != row.hash) {
      return broken(row.id,
                    absl::StrCat("row ", row.id, " is not the one the given head was taken of"));
    }
    verdict.head = {.id = row.id, .hash = row.hash};
    ++verdict.rows;
  }
  if (anchor && anchor->id > verdict.head.id) {
    return broken(
        verdict.head.id + 1,
        absl::StrCat("the log ends at row ", verdict.head.id, ", before the given head: rows ",
                     verdict.head.id + 1, " to ", anchor->id, " were cut off"));
  }
  verdict.intact = true;
  return verdict;
}

}  // namespace weir::control
