#include "control/store/use_rows.h"

#include <algorithm>

namespace weir::control {
namespace {

constexpr int64_t kOneSecondNs = 1'000'000'000;
constexpr int64_t kDayNs = 86'400 * kOneSecondNs;
// A clock may be set back a little, and then an expired token is none.
constexpr int64_t kTokenSlackSeconds = 60;
constexpr int64_t kEgressKeptNs = 300 * kOneSecondNs;

}  // namespace

absl::Status ChargeTests(Database* database, const std::vector<UseRow>& use) {
  if (use.empty()) return absl::OkStatus();
  // A day that is over counts no more; a clock that jumps back gives none back.
  auto charge = database->Prepare(
      "INSERT INTO usage (key, day, tests, bytes, not_before_unix_s) VALUES (?, ?, ?, 0, ?) "
      "ON CONFLICT (key) DO UPDATE SET "
      "tests = excluded.tests + CASE WHEN excluded.day > day THEN 0 ELSE tests END, "
      "bytes = CASE WHEN excluded.day > day THEN 0 ELSE bytes END, "
      "not_before_unix_s = CASE WHEN excluded.not_before_unix_s = 0 THEN not_before_unix_s "
      "ELSE excluded.not_before_unix_s END, "
      "day = max(day, excluded.day)");
  if (!charge.ok()) return charge.status();
  uint32_t today = 0;
  for (const UseRow& row : use) {
    today = std::max(today, row.day);
    absl::Status status = charge->BindBlob(0, row.key)
                              .Bind(1, int64_t{row.day})
                              .Bind(2, int64_t{row.tests})
                              .Bind(3, int64_t{row.not_before_unix_s})
                              .Run();
    if (!status.ok()) return status;
  }
  auto forget = database->Prepare("DELETE FROM usage WHERE day < ? AND not_before_unix_s <= ?");
  if (!forget.ok()) return forget.status();
  return forget->Bind(0, int64_t{today}).Bind(1, int64_t{today} * 86'400).Run();
}

absl::Status ChargeBytes(Database* database, const std::string& keys, uint64_t bytes,
                         int64_t at_unix_ns) {
  if (keys.empty()) return absl::OkStatus();
  auto charge = database->Prepare(
      "UPDATE usage SET bytes = ?2 + CASE WHEN ?1 > day THEN 0 ELSE bytes END, "
      "tests = CASE WHEN ?1 > day THEN 0 ELSE tests END, day = max(day, ?1) WHERE key = ?3");
  if (!charge.ok()) return charge.status();
  for (size_t at = 0; at + kUseKeyBytes <= keys.size(); at += kUseKeyBytes) {
    absl::Status status = charge->Bind(0, at_unix_ns / kDayNs)
                              .Bind(1, static_cast<int64_t>(bytes))
                              .BindBlob(2, std::string_view(keys).substr(at, kUseKeyBytes))
                              .Run();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<UseRow>> SelectUse(Database* database, int64_t now_unix_ns) {
  auto rows = database->Prepare(
      "SELECT key, day, tests, bytes, not_before_unix_s FROM usage "
      "WHERE day >= ?1 OR not_before_unix_s > ?2");
  if (!rows.ok()) return rows.status();
  rows->Bind(0, now_unix_ns / kDayNs).Bind(1, now_unix_ns / kOneSecondNs);
  std::vector<UseRow> result;
  while (true) {
    const auto found = rows->Step();
    if (!found.ok()) return found.status();
    if (!*found) return result;
    result.push_back({.key = rows->Text(0),
                      .day = static_cast<uint32_t>(rows->Int(1)),
                      .tests = static_cast<uint32_t>(rows->Int(2)),
                      .bytes = static_cast<uint64_t>(rows->Int(3)),
                      .not_before_unix_s = static_cast<uint32_t>(rows->Int(4))});
  }
}

absl::Status InsertToken(Database* database, const TokenRow& token, int64_t now_unix_ns) {
  if (token.key.empty()) return absl::OkStatus();
  auto forget = database->Prepare("DELETE FROM used_tokens WHERE expires_unix_s < ?");
  if (!forget.ok()) return forget.status();
  absl::Status status = forget->Bind(0, now_unix_ns / kOneSecondNs - kTokenSlackSeconds).Run();
  if (!status.ok()) return status;
  auto insert = database->Prepare("INSERT INTO used_tokens (key, expires_unix_s) VALUES (?, ?)");
  if (!insert.ok()) return insert.status();
  return insert->BindBlob(0, token.key).Bind(1, token.expires_unix_s).Run();
}

absl::StatusOr<std::vector<TokenRow>> SelectTokens(Database* database, int64_t now_unix_ns) {
  auto rows =
      database->Prepare("SELECT key, expires_unix_s FROM used_tokens WHERE expires_unix_s >= ?");
  if (!rows.ok()) return rows.status();
  rows->Bind(0, now_unix_ns / kOneSecondNs - kTokenSlackSeconds);
  std::vector<TokenRow> result;
  while (true) {
    const auto found = rows->Step();
    if (!found.ok()) return found.status();
    if (!*found) return result;
    result.push_back({.key = rows->Text(0), .expires_unix_s = rows->Int(1)});
  }
}

absl::Status InsertEgress(Database* database, const EgressRow& row) {
  auto insert = database->Prepare(
      "INSERT INTO egress (port, at_unix_ns, bytes, boot_id, tx_bytes) VALUES (?, ?, ?, ?, ?) "
      "ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes, boot_id = excluded.boot_id, "
      "tx_bytes = excluded.tx_bytes");
  if (!insert.ok()) return insert.status();
  absl::Status status = insert->Bind(0, row.port)
                            .Bind(1, row.at_unix_ns)
                            .Bind(2, static_cast<int64_t>(row.bytes))
                            .BindBlob(3, row.boot_id)
                            .Bind(4, static_cast<int64_t>(row.tx_bytes))
                            .Run();
  if (!status.ok()) return status;
  auto forget = database->Prepare("DELETE FROM egress WHERE at_unix_ns < ?");
  if (!forget.ok()) return forget.status();
  return forget->Bind(0, row.at_unix_ns - kEgressKeptNs).Run();
}

absl::StatusOr<std::vector<EgressRow>> SelectEgress(Database* database, int64_t now_unix_ns) {
  auto rows = database->Prepare(
      "SELECT port, boot_id, tx_bytes, at_unix_ns, bytes FROM egress WHERE at_unix_ns >= ?");
  if (!rows.ok()) return rows.status();
  rows->Bind(0, now_unix_ns - kEgressKeptNs);
  std::vector<EgressRow> result;
  while (true) {
    const auto found = rows->Step();
    if (!found.ok()) return found.status();
    if (!*found) return result;
    result.push_back({.port = rows->Text(0),
                      .boot_id = rows->Text(1),
                      .tx_bytes = static_cast<uint64_t>(rows->Int(2)),
                      .at_unix_ns = rows->Int(3),
                      .bytes = static_cast<uint64_t>(rows->Int(4))});
  }
}

}  // namespace weir::control
