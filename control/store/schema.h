// The store's tables, version by version.
#ifndef WEIR_CONTROL_STORE_SCHEMA_H_
#define WEIR_CONTROL_STORE_SCHEMA_H_

#include <string>

#include "absl/status/status.h"
#include "control/store/sqlite.h"

namespace weir::control {

inline constexpr int64_t kStoreApplicationId = 0x57454952;  // "WEIR"
inline constexpr int64_t kStoreVersion = 7;

// FailedPrecondition: the database belongs to another program or a newer Weir. Writes nothing.
absl::Status CheckOwner(const std::string& path, Database* database);

// Brings an empty or older database to `to`, in one transaction.
absl::Status Migrate(Database* database, int64_t to = kStoreVersion);

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_SCHEMA_H_
