#include "control/export/delivery/postgres_engine.h"

#include <google/protobuf/util/time_util.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "control/export/delivery/postgres_schema.h"
#include "control/export/delivery/print_json.h"
#include "control/failpoint.h"

namespace weir::control {
namespace {

// For each session, before anything is written: an acknowledged commit is on the server's disk, and
// nobody's lock is waited for without end.
constexpr char kSettings[] =
    "SELECT set_config('lock_timeout', '20s', false), set_config('synchronous_commit', "
    "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "
    "ELSE current_setting('synchronous_commit') END, false)";

// What weir.deliver takes: one element of its array.
absl::StatusOr<std::string> EncodeItem(const delivery::v1::Item& item) {
  const std::string state = absl::AsciiStrToLower(record::v1::ReleaseState_Name(item.state()));
  const std::string head =
      absl::StrCat("{\"version\":", item.version(), ",\"state\":\"", state, "\",");
  if (item.has_tombstone()) return absl::StrCat(head, "\"erase\":\"", item.record_id(), "\"}");
  const absl::StatusOr<std::string> record = PrintJson(item.record());
  if (!record.ok()) return absl::InvalidArgumentError("record: not text that JSON can hold");
  const int64_t unix_ns =
      google::protobuf::util::TimeUtil::TimestampToNanoseconds(item.record().negotiated_at());
  return absl::StrCat(head, "\"unix_ns\":", unix_ns, ",\"record\":", *record, "}");
}

}  // namespace

absl::Status PostgresEngine::Open() {
  connection_.reset();
  disclosed_.clear();
  absl::StatusOr<PostgresConnection> connection =
      PostgresConnection::Open(config_.conninfo(), config_.password_file());
  if (!connection.ok()) return connection.status();
  if (const auto set = connection->Execute(kSettings); !set.ok()) return set.status();
  if (absl::Status status = PreparePostgres(&*connection); !status.ok()) return status;
  connection_ = *std::move(connection);
  return absl::OkStatus();
}

absl::StatusOr<PostgresRows> PostgresEngine::Take(const delivery::v1::PullReply& batch,
                                                  const std::string& items) {
  if (const auto begun = connection_->Execute("BEGIN"); !begun.ok()) return begun.status();
  Failpoint("postgres.begun");
  if (batch.disclosure().digest() != disclosed_) {
    // Names of the policy's schema: JSON can hold them.
    const auto held = connection_->Execute("SELECT weir.disclose($1)",
                                           {PrintJson(batch.disclosure()).value_or("{}")});
    if (!held.ok()) return held.status();
  }
  Failpoint("postgres.disclosed");
  const delivery::v1::AuditHead& head = batch.audit_head();
  absl::StatusOr<PostgresRows> taken = connection_->Execute(
      "SELECT weir.deliver($1, $2, $3)", {items, absl::StrCat(head.id()), head.hash()});
  if (!taken.ok()) return taken;
  Failpoint("postgres.taken");
  if (const auto done = connection_->Execute("COMMIT"); !done.ok()) return done.status();
  Failpoint("postgres.committed");
  disclosed_ = batch.disclosure().digest();
  return taken;
}

Encoded PostgresEngine::Encode(const delivery::v1::PullReply& batch) const {
  Encoded encoded;
  for (const delivery::v1::Item& item : batch.items()) encoded.push_back(EncodeItem(item));
  return encoded;
}

absl::StatusOr<std::vector<Outcome>> PostgresEngine::Deliver(const delivery::v1::PullReply& batch,
                                                             const Encoded& encoded) {
  std::vector<Outcome> outcomes;
  std::vector<Outcome*> sent;
  std::string items;
  outcomes.reserve(static_cast<size_t>(batch.items_size()));
  for (int i = 0; i < batch.items_size(); ++i) {
    const delivery::v1::Item& item = batch.items(i);
    const absl::StatusOr<std::string>& text = encoded[static_cast<size_t>(i)];
    Outcome& outcome = outcomes.emplace_back(Outcome{.version = item.version()});
    if (item.state() == record::v1::RELEASE_STATE_UNSPECIFIED) {
      return absl::FailedPreconditionError(
          "weir-control says of no record who may read it; install the newer weir-control");
    }
    if (!text.ok()) {
      outcome.refused = true;
      outcome.reason = std::string(text.status().message());
      continue;
    }
    absl::StrAppend(&items, items.empty() ? "[" : ",", *text);
    sent.push_back(&outcome);
  }
  if (sent.empty() && batch.disclosure().digest() == disclosed_) return outcomes;
  const absl::StatusOr<PostgresRows> refusals = Take(batch, sent.empty() ? "[]" : items + "]");
  if (!refusals.ok()) return refusals.status();
  if (refusals->size() != sent.size()) {
    return absl::FailedPreconditionError(
        "PostgreSQL: weir.deliver answers another number of items than it got; it is not ours");
  }
  for (size_t i = 0; i < sent.size(); ++i) {
    sent[i]->reason = (*refusals)[i].front();
    sent[i]->refused = !sent[i]->reason.empty();
  }
  return outcomes;
}

}  // namespace weir::control
