// What quotas have seen, statement by statement. Each function runs inside the caller's
// transaction.
#ifndef WEIR_CONTROL_STORE_USE_ROWS_H_
#define WEIR_CONTROL_STORE_USE_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/store/sqlite.h"
#include "control/store/store.h"

namespace weir::control {

inline constexpr size_t kUseKeyBytes = 16;

// Counts a session that begins, and forgets days that are over.
absl::Status ChargeTests(Database* database, const std::vector<UseRow>& use);

// Counts what a session moved; `keys`: of its uses, one after the other.
absl::Status ChargeBytes(Database* database, const std::string& keys, uint64_t bytes,
                         int64_t at_unix_ns);

absl::StatusOr<std::vector<UseRow>> SelectUse(Database* database, int64_t now_unix_ns);

// Uses a token up, and forgets those that have expired. AlreadyExists: it was used before.
absl::Status InsertToken(Database* database, const TokenRow& token, int64_t now_unix_ns);
absl::StatusOr<std::vector<TokenRow>> SelectTokens(Database* database, int64_t now_unix_ns);

absl::Status InsertEgress(Database* database, const EgressRow& row);
absl::StatusOr<std::vector<EgressRow>> SelectEgress(Database* database, int64_t now_unix_ns);

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_USE_ROWS_H_
