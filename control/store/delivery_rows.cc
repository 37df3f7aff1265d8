#include "control/store/delivery_rows.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/store/audit_log.h"

namespace weir::control {
namespace {

// Rows looked at in one pull, most of which may be none of the destination's business.
constexpr int64_t kMaxScanned = 2'000;

enum Column {
  kChange,
  kErased,
  kState,
  kSession,
  kClass,
  kRecordId,
  kRecordBlob,
  kIntervalsBlob,
  kHeldVersion,  // NULL: not settled; 0 to n: has it; below 0: will never take it.
  kTombstone,    // Likewise, of the tombstone.
};

// deliveries.kind.
enum Kind : int64_t { kRecord, kErasure, kUpdate };

// What it had is superseded: a later version of a record it has. Refused, that is a dead letter of
// its own, and what it holds stays in the older version.
absl::StatusOr<bool> SettleUpdate(Database* database, const std::string& destination,
                                  const Delivery& delivery, const Moment& moment) {
  auto update = database->Prepare(
      "UPDATE deliveries SET version = ?, at_unix_ns = ? WHERE destination = ? AND record_id = ? "
      "AND kind = 0 AND version BETWEEN 0 AND ? - 1");
  if (!update.ok()) return update.status();
  absl::Status status = update->Bind(0, delivery.version)
                            .Bind(1, moment.audit_unix_ns)
                            .Bind(2, destination)
                            .Bind(3, delivery.record_id)
                            .Bind(4, delivery.version)
                            .Run();
  if (!status.ok()) return status;
  const bool changed = database->Changes() != 0;
  if (!changed || !delivery.refused) return changed;
  auto refuse = database->Prepare(
      "INSERT OR REPLACE INTO deliveries (destination, record_id, kind, version, at_unix_ns, "
      "reason) VALUES (?, ?, ?, -1, ?, ?)");
  if (!refuse.ok()) return refuse.status();
  status = refuse->Bind(0, destination)
               .Bind(1, delivery.record_id)
               .Bind(2, int64_t{kUpdate})
               .Bind(3, moment.audit_unix_ns)
               .Bind(4, delivery.reason)
               .Run();
  if (!status.ok()) return status;
  return true;
}

// What of the record in this row the destination is still to get, if anything.
absl::StatusOr<std::optional<PendingDelivery>> PendingIn(
    const Statement& row, bool follow_states,
    const std::function<bool(const StoredRecord&)>& may_go) {
  const int64_t change = row.Int(kChange);
  const bool settled = !row.IsNull(kHeldVersion);
  const int64_t held = row.Int(kHeldVersion);
  const bool tombstone = settled && held >= 0 && held < row.Int(kErased) && row.IsNull(kTombstone);
  const bool superseded =
      follow_states && settled && held >= 0 && std::max(held, row.Int(kTombstone)) < change;
  if (settled && !tombstone && !superseded) return std::nullopt;
  StoredRecord stored;
  stored.standing = {.record_id = row.Text(kRecordId),
                     .state = static_cast<record::v1::ReleaseState>(row.Int(kState)),
                     .erased = row.Int(kErased) != 0,
                     .session_id = row.Text(kSession),
                     .release_class = static_cast<record::v1::ReleaseClass>(row.Int(kClass))};
  // A concatenation of serialised messages is their merge.
  if (!stored.record.ParseFromString(row.Text(kRecordBlob) + row.Text(kIntervalsBlob))) {
    return absl::DataLossError(
        absl::StrCat("the store holds a damaged ", stored.standing.record_id));
  }
  if (!tombstone && !may_go(stored)) return std::nullopt;
  return PendingDelivery{.stored = std::move(stored), .version = change, .tombstone = tombstone};
}

absl::StatusOr<std::vector<Delivery>> SelectDeadOf(Database* database,
                                                   const std::string& destination) {
  auto statement = database->Prepare(
      "SELECT DISTINCT record_id FROM deliveries WHERE destination = ? AND version < 0");
  if (!statement.ok()) return statement.status();
  statement->Bind(0, destination);
  std::vector<Delivery> dead;
  while (true) {
    const auto found = statement->Step();
    if (!found.ok()) return found.status();
    if (!*found) return dead;
    dead.push_back({.record_id = statement->Text(0)});
  }
}

}  // namespace

absl::StatusOr<Pulled> SelectPending(Database* database, const PullQuery& query,
                                     int64_t settled_change,
                                     const std::function<bool(const StoredRecord&)>& may_go) {
  auto statement = database->Prepare(
      "SELECT r.change, r.erased, r.state, r.session_id, r.release_class, r.record_id, r.record, "
      "r.intervals, d.version, t.version FROM records r "
      "LEFT JOIN deliveries d ON d.destination = ?1 AND d.record_id = r.record_id AND d.kind = 0 "
      "LEFT JOIN deliveries t ON t.destination = ?1 AND t.record_id = r.record_id AND t.kind = 1 "
      "WHERE r.change > ?2 ORDER BY r.change LIMIT ?3");
  if (!statement.ok()) return statement.status();
  const auto begin_after = [&](int64_t change) {
    statement->Reset();
    statement->Bind(0, query.destination).Bind(1, change).Bind(2, kMaxScanned);
  };
  begin_after(settled_change);
  Pulled pulled{.last_change = query.after_change, .settled_change = settled_change};
  bool all_settled = true;
  while (pulled.items.size() < query.limit) {
    const auto found = statement->Step();
    if (!found.ok()) return found.status();
    if (!*found) break;
    const int64_t change = statement->Int(kChange);
    auto pending = PendingIn(*statement, query.follow_states, may_go);
    if (!pending.ok()) return pending.status();
    if (!pending->has_value()) {
      if (all_settled) pulled.settled_change = change;
    } else {
      all_settled = false;
      if (change <= query.after_change) {  // On its way, and so may be all up to there.
        begin_after(query.after_change);
        continue;
      }
      pulled.items.push_back(**std::move(pending));
    }
    pulled.last_change = std::max(pulled.last_change, change);
  }
  return pulled;
}

absl::StatusOr<std::optional<int64_t>> SelectProgress(Database* database,
                                                      const std::string& destination,
                                                      const std::string& terms) {
  auto statement = database->Prepare(
      "SELECT settled_change FROM destinations WHERE destination = ? AND terms = ?");
  if (!statement.ok()) return statement.status();
  const auto found = statement->Bind(0, destination).Bind(1, terms).Step();
  if (!found.ok()) return found.status();
  return *found ? std::optional(statement->Int(0)) : std::nullopt;
}

absl::Status SaveProgress(Database* database, const std::string& destination,
                          const std::string& terms, int64_t from, int64_t settled_change) {
  auto statement = database->Prepare(
      "INSERT INTO destinations (destination, terms, settled_change) VALUES (?, ?, ?) "
      "ON CONFLICT DO UPDATE SET terms = excluded.terms, settled_change = "
      "excluded.settled_change WHERE terms <> excluded.terms OR settled_change = ?");
  if (!statement.ok()) return statement.status();
  return statement->Bind(0, destination).Bind(1, terms).Bind(2, settled_change).Bind(3, from).Run();
}

absl::Status SettleRows(Database* database, const std::string& destination,
                        const std::vector<Delivery>& deliveries, const std::string& audit_detail,
                        const Moment& moment) {
  auto known = database->Prepare("SELECT 1 FROM records WHERE record_id = ?");
  if (!known.ok()) return known.status();
  auto insert = database->Prepare(
      "INSERT INTO deliveries (destination, record_id, kind, version, at_unix_ns, reason, "
      "settled_ns) VALUES (?, ?, ?, ?, ?, ?, (SELECT now_ns FROM lifecycle)) ON CONFLICT DO "
      "NOTHING");
  if (!insert.ok()) return insert.status();
  int64_t counts[4] = {};  // Records, tombstones; refused likewise.
  int64_t updates = 0;
  for (const Delivery& delivery : deliveries) {
    const auto found = known->Bind(0, delivery.record_id).Step();
    known->Reset();
    if (!found.ok()) return found.status();
    if (!*found) return absl::NotFoundError(absl::StrCat("no record ", delivery.record_id));
    absl::Status status = insert->Bind(0, destination)
                              .Bind(1, delivery.record_id)
                              .Bind(2, int64_t{delivery.tombstone})
                              .Bind(3, delivery.refused ? -1 : delivery.version)
                              .Bind(4, moment.audit_unix_ns)
                              .Bind(5, delivery.reason)
                              .Run();
    if (!status.ok()) return status;
    const int64_t added = database->Changes();
    counts[delivery.tombstone + 2 * delivery.refused] += added;
    if (added != 0 || delivery.tombstone) continue;
    const auto updated = SettleUpdate(database, destination, delivery, moment);
    if (!updated.ok()) return updated.status();
    if (*updated) ++(delivery.refused ? counts[2] : updates);
  }
  constexpr const char* kEvents[] = {"delivered", "erasure_delivered", "delivery_refused",
                                     "erasure_refused"};
  for (int i = 0; i < 4; ++i) {
    if (counts[i] == 0) continue;
    absl::Status status = AppendAudit(database, {.at_unix_ns = moment.audit_unix_ns,
                                                 .event = kEvents[i],
                                                 .detail = audit_detail,
                                                 .count = counts[i]});
    if (!status.ok()) return status;
  }
  if (updates == 0) return absl::OkStatus();
  return AppendAudit(database, {.at_unix_ns = moment.audit_unix_ns,
                                .event = "state_delivered",
                                .detail = audit_detail,
                                .count = updates});
}

absl::StatusOr<int64_t> ReopenRows(Database* database, const std::string& destination,
                                   const std::vector<Delivery>& deliveries, Reopening why,
                                   const std::string& audit_detail, const Moment& moment) {
  const bool retry = why == Reopening::kRetry;
  std::vector<Delivery> all;
  if (retry && deliveries.empty()) {
    auto dead = SelectDeadOf(database, destination);
    if (!dead.ok()) return dead.status();
    all = *std::move(dead);
  }
  auto forget = database->Prepare(
      retry ? "DELETE FROM deliveries WHERE destination = ? AND record_id = ? AND version < 0"
            : "DELETE FROM deliveries WHERE destination = ? AND record_id = ? AND version >= 0 AND "
              "kind = ?");
  if (!forget.ok()) return forget.status();
  // A refused update counts as delivered (SettleUpdate); what the destination has is older.
  auto supersede = database->Prepare(
      "UPDATE deliveries SET version = version - 1 WHERE destination = ?1 AND record_id = ?2 AND "
      "kind = 0 AND version > 0 AND EXISTS (SELECT 1 FROM deliveries WHERE destination = ?1 AND "
      "record_id = ?2 AND kind = 2)");
  if (!supersede.ok()) return supersede.status();
  // Always lower than it was, so that a pull under way does not carry it past this one.
  auto look_again = database->Prepare(
      "UPDATE destinations SET settled_change = min(settled_change, "
      "(SELECT change FROM records WHERE record_id = ?)) - 1 WHERE destination = ?");
  if (!look_again.ok()) return look_again.status();
  int64_t reopened = 0;
  for (const Delivery& delivery : all.empty() ? deliveries : all) {
    if (retry) {
      absl::Status status = supersede->Bind(0, destination).Bind(1, delivery.record_id).Run();
      if (!status.ok()) return status;
    }
    forget->Bind(0, destination).Bind(1, delivery.record_id);
    if (!retry) forget->Bind(2, int64_t{delivery.tombstone});
    if (absl::Status status = forget->Run(); !status.ok()) return status;
    if (database->Changes() == 0) continue;
    reopened += database->Changes();
    absl::Status status = look_again->Bind(0, delivery.record_id).Bind(1, destination).Run();
    if (!status.ok()) return status;
  }
  if (reopened == 0) return reopened;
  absl::Status status =
      AppendAudit(database, {.at_unix_ns = moment.audit_unix_ns,
                             .event = retry ? "delivery_retried" : "delivery_lost",
                             .detail = audit_detail,
                             .count = reopened});
  if (!status.ok()) return status;
  return reopened;
}

absl::StatusOr<std::vector<DeliveryCounts>> SelectDeliveryCounts(Database* database) {
  auto statement = database->Prepare(
      "SELECT d.destination, sum(v.kind = 0 AND v.version >= 0), "
      "sum(v.kind = 1 AND v.version >= 0), sum(v.version < 0), "
      "(SELECT last_change FROM lifecycle) - d.settled_change FROM destinations d "
      "LEFT JOIN deliveries v ON v.destination = d.destination GROUP BY d.destination");
  if (!statement.ok()) return statement.status();
  std::vector<DeliveryCounts> counts;
  while (true) {
    const auto found = statement->Step();
    if (!found.ok()) return found.status();
    if (!*found) return counts;
    counts.push_back({.destination = statement->Text(0),
                      .records = statement->Int(1),
                      .tombstones = statement->Int(2),
                      .dead = statement->Int(3),
                      .behind = statement->Int(4)});
  }
}

absl::StatusOr<std::vector<Backlog>> SelectBacklogs(Database* database) {
  auto statement = database->Prepare(
      "SELECT destination, (SELECT last_change FROM lifecycle) - settled_change, "
      "(SELECT count(*) FROM deliveries v WHERE v.version < 0 AND v.destination = d.destination) "
      "FROM destinations d");
  if (!statement.ok()) return statement.status();
  std::vector<Backlog> backlogs;
  while (true) {
    const auto found = statement->Step();
    if (!found.ok()) return found.status();
    if (!*found) return backlogs;
    backlogs.push_back({.destination = statement->Text(0),
                        .behind = statement->Int(1),
                        .dead = statement->Int(2)});
  }
}

absl::StatusOr<std::vector<DeadLetter>> SelectDeadLetters(Database* database, uint32_t limit) {
  auto statement = database->Prepare(
      "SELECT destination, record_id, kind, at_unix_ns, reason FROM deliveries "
      "WHERE version < 0 ORDER BY at_unix_ns DESC, record_id LIMIT ?");
  if (!statement.ok()) return statement.status();
  statement->Bind(0, int64_t{limit});
  std::vector<DeadLetter> letters;
  while (true) {
    const auto found = statement->Step();
    if (!found.ok()) return found.status();
    if (!*found) return letters;
    letters.push_back({.destination = statement->Text(0),
                       .record_id = statement->Text(1),
                       .tombstone = statement->Int(2) == kErasure,
                       .at_unix_ns = statement->Int(3),
                       .reason = statement->Text(4)});
  }
}

}  // namespace weir::control
