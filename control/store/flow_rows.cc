#include "control/store/flow_rows.h"

namespace weir::control {
namespace {

constexpr int64_t kKeptNs = int64_t{90} * 24 * 3600 * 1'000'000'000;

}  // namespace

absl::Status InsertFlows(Database* database, const std::string& session_id,
                         const std::vector<std::string>& keys, int64_t from_unix_ns) {
  auto forget = database->Prepare("DELETE FROM flows WHERE to_unix_ns < ?");
  if (!forget.ok()) return forget.status();
  if (absl::Status status = forget->Bind(0, from_unix_ns - kKeptNs).Run(); !status.ok()) {
    return status;
  }
  auto insert = database->Prepare(
      "INSERT OR IGNORE INTO flows (key, from_unix_ns, session_id) VALUES (?, ?, ?)");
  if (!insert.ok()) return insert.status();
  for (const std::string& key : keys) {
    absl::Status status = insert->BindBlob(0, key).Bind(1, from_unix_ns).Bind(2, session_id).Run();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> SelectFlows(Database* database,
                                                     const std::string& session_id) {
  auto flows = database->Prepare("SELECT key FROM flows WHERE session_id = ?");
  if (!flows.ok()) return flows.status();
  flows->Bind(0, session_id);
  std::vector<std::string> keys;
  while (true) {
    const auto found = flows->Step();
    if (!found.ok()) return found.status();
    if (!*found) return keys;
    keys.push_back(flows->Text(0));
  }
}

absl::Status EndFlows(Database* database, const std::string& session_id, int64_t to_unix_ns) {
  auto end = database->Prepare("UPDATE flows SET to_unix_ns = ? WHERE session_id = ?");
  if (!end.ok()) return end.status();
  return end->Bind(0, to_unix_ns).Bind(1, session_id).Run();
}

absl::StatusOr<std::string> SelectFlow(Database* database, const std::string& key,
                                       int64_t at_unix_ns, int64_t slack_ns) {
  auto find = database->Prepare(
      "SELECT session_id FROM flows WHERE key = ?1 AND from_unix_ns <= ?2 "
      "AND (to_unix_ns IS NULL OR to_unix_ns >= ?3) ORDER BY from_unix_ns DESC LIMIT 1");
  if (!find.ok()) return find.status();
  const auto found =
      find->BindBlob(0, key).Bind(1, at_unix_ns + slack_ns).Bind(2, at_unix_ns - slack_ns).Step();
  if (!found.ok()) return found.status();
  if (!*found) return absl::NotFoundError("no session of this node had such a flow then");
  return find->Text(0);
}

}  // namespace weir::control
