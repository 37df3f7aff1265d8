#include "control/store/retention_rows.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "control/store/audit_log.h"

namespace weir::control {
namespace {

// Of a record, every destination must have it as it now is or have refused it, an hour ago (in
// which a destination that acknowledged more than it kept can say so), or have looked past it under
// the policy in force, whose digest is ?1.
constexpr char kDeletable[] =
    "delete_due_ns <= (SELECT now_ns FROM lifecycle) AND NOT EXISTS ("
    "SELECT 1 FROM destinations d LEFT JOIN deliveries v ON v.destination = d.destination AND "
    "v.record_id = r.record_id AND v.kind = 0 "
    "LEFT JOIN deliveries t ON t.destination = d.destination AND t.record_id = r.record_id AND "
    "t.kind = 1 WHERE NOT CASE WHEN v.version IS NULL "
    "THEN d.settled_change >= r.change AND substr(d.terms, -length(?1)) = ?1 "
    "ELSE max(v.settled_ns, coalesce(t.settled_ns, 0)) + 3600000000000 <= "
    "(SELECT now_ns FROM lifecycle) "
    "AND (v.version < 0 OR v.version >= r.erased OR t.version IS NOT NULL) END)";

// Every recipient has had a destination come for it.
absl::StatusOr<bool> AllCame(Database* database, const std::vector<std::string>& recipients) {
  for (const std::string& recipient : recipients) {
    auto find = database->Prepare(
        "SELECT 1 FROM destinations WHERE substr(terms, 1, length(?1) + 1) = ?1 || ' '");
    if (!find.ok()) return find.status();
    const auto found = find->Bind(0, recipient).Step();
    if (!found.ok()) return found.status();
    if (!*found) return false;
  }
  return true;
}

// "1", "2", "1, 2" or "NULL": the classes of which records may go.
absl::StatusOr<std::string> Classes(Database* database, const RetentionTerms& terms) {
  std::string classes = "NULL";
  for (const auto& [release_class, recipients] :
       {std::pair(record::v1::PUBLIC, &terms.public_recipients),
        std::pair(record::v1::OPERATOR_ONLY, &terms.operator_recipients)}) {
    const auto came = AllCame(database, *recipients);
    if (!came.ok()) return came.status();
    if (*came) absl::StrAppend(&classes, ", ", static_cast<int>(release_class));
  }
  return classes;
}

struct Deletable {
  std::string session_id;
  int64_t keep_days = 0;
};

absl::Status DeleteOne(Database* database, const std::string& record_id, const Deletable& record,
                       const Moment& moment) {
  auto remove = database->Prepare("DELETE FROM records WHERE record_id = ?");
  if (!remove.ok()) return remove.status();
  if (absl::Status status = remove->Bind(0, record_id).Run(); !status.ok()) return status;
  auto session = database->Prepare(
      "DELETE FROM sessions WHERE session_id = ?1 AND finished_unix_ns IS NOT NULL AND "
      "NOT EXISTS (SELECT 1 FROM records WHERE session_id = ?1)");
  if (!session.ok()) return session.status();
  if (absl::Status status = session->Bind(0, record.session_id).Run(); !status.ok()) return status;
  return AppendAudit(
      database, {.at_unix_ns = moment.audit_unix_ns,
                 .event = "record_deleted",
                 .session_id = record.session_id,
                 .detail = absl::StrCat(record_id, ": keep_days ", record.keep_days, " over")});
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SelectDeletable(Database* database,
                                                         const RetentionTerms& terms, int limit) {
  const auto classes = Classes(database, terms);
  if (!classes.ok()) return classes.status();
  auto select = database->Prepare(absl::StrCat("SELECT record_id FROM records r WHERE ", kDeletable,
                                               " AND release_class IN (", *classes,
                                               ") ORDER BY delete_due_ns LIMIT ?2"));
  if (!select.ok()) return select.status();
  select->Bind(0, terms.policy_digest).Bind(1, int64_t{limit});
  std::vector<std::string> ids;
  while (true) {
    const auto found = select->Step();
    if (!found.ok()) return found.status();
    if (!*found) return ids;
    ids.push_back(select->Text(0));
  }
}

absl::StatusOr<int64_t> DeleteRecords(Database* database,
                                      const std::vector<std::string>& record_ids,
                                      const RetentionTerms& terms, const Moment& moment) {
  // Since they were selected one may have been anonymised, which its holders must be told first.
  auto again = database->Prepare(absl::StrCat("SELECT session_id, keep_days FROM records r WHERE ",
                                              kDeletable, " AND record_id = ?2"));
  if (!again.ok()) return again.status();
  int64_t deleted = 0;
  for (const std::string& record_id : record_ids) {
    const auto found = again->Bind(0, terms.policy_digest).Bind(1, record_id).Step();
    if (!found.ok()) return found.status();
    const Deletable record =
        *found ? Deletable{.session_id = again->Text(0), .keep_days = again->Int(1)} : Deletable{};
    again->Reset();
    if (!*found) continue;
    if (absl::Status status = DeleteOne(database, record_id, record, moment); !status.ok()) {
      return status;
    }
    ++deleted;
  }
  return deleted;
}

absl::StatusOr<int64_t> CountDue(Database* database) {
  return database->QueryInt(
      "SELECT count(*) FROM records WHERE delete_due_ns <= (SELECT now_ns FROM lifecycle)");
}

absl::Status ForgetDestinationRows(Database* database, const std::string& destination,
                                   const Moment& moment) {
  int64_t rows = 0;
  for (const char* table : {"destinations", "deliveries"}) {
    auto forget = database->Prepare(absl::StrCat("DELETE FROM ", table, " WHERE destination = ?"));
    if (!forget.ok()) return forget.status();
    if (absl::Status status = forget->Bind(0, destination).Run(); !status.ok()) return status;
    rows += database->Changes();
  }
  if (rows == 0) return absl::NotFoundError(absl::StrCat("no destination \"", destination, "\""));
  return AppendAudit(database, {.at_unix_ns = moment.audit_unix_ns,
                                .event = "destination_forgotten",
                                .detail = destination});
}

}  // namespace weir::control
