// What was delivered to whom. Delivery never deletes: a record stays until retention takes it.
#ifndef WEIR_CONTROL_STORE_DELIVERY_ROWS_H_
#define WEIR_CONTROL_STORE_DELIVERY_ROWS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/store/lifecycle_rows.h"
#include "control/store/sqlite.h"
#include "control/store/store.h"

namespace weir::control {

// The oldest changes the destination has not settled; up to `settled_change` there are none. Reads
// only.
absl::StatusOr<Pulled> SelectPending(Database* database, const PullQuery& query,
                                     int64_t settled_change,
                                     const std::function<bool(const StoredRecord&)>& may_go);

// nullopt: it has never come with these terms.
absl::StatusOr<std::optional<int64_t>> SelectProgress(Database* database,
                                                      const std::string& destination,
                                                      const std::string& terms);
// `terms`: what decides which records may go there; with other terms all are looked at again.
// Does nothing if it is no longer at `from`: something was reopened meanwhile.
absl::Status SaveProgress(Database* database, const std::string& destination,
                          const std::string& terms, int64_t from, int64_t settled_change);

absl::Status SettleRows(Database* database, const std::string& destination,
                        const std::vector<Delivery>& deliveries, const std::string& audit_detail,
                        const Moment& moment);

absl::StatusOr<int64_t> ReopenRows(Database* database, const std::string& destination,
                                   const std::vector<Delivery>& deliveries, Reopening why,
                                   const std::string& audit_detail, const Moment& moment);

absl::StatusOr<std::vector<DeliveryCounts>> SelectDeliveryCounts(Database* database);
absl::StatusOr<std::vector<Backlog>> SelectBacklogs(Database* database);
absl::StatusOr<std::vector<DeadLetter>> SelectDeadLetters(Database* database, uint32_t limit);

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_DELIVERY_ROWS_H_
