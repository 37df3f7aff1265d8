// Tables of a PostgreSQL database.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_POSTGRES_ENGINE_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_POSTGRES_ENGINE_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/v1/export.pb.h"
#include "control/export/delivery/engine.h"
#include "control/export/delivery/postgres_connection.h"

namespace weir::control {

// A batch is a transaction, and the database keeps of each record its version: what is given again
// changes nothing, so no state is needed here. The schema says who reads what.
class PostgresEngine final : public Engine {
 public:
  explicit PostgresEngine(config::v1::Postgres config) : config_(std::move(config)) {}

  const char* name() const override { return "postgres"; }
  bool follows_states() const override { return true; }
  absl::Status Open() override;
  Encoded Encode(const delivery::v1::PullReply& batch) const override;
  absl::StatusOr<std::vector<Outcome>> Deliver(const delivery::v1::PullReply& batch,
                                               const Encoded& encoded) override;

 private:
  // Within a transaction: why each item can never be taken, "" where it is taken.
  absl::StatusOr<PostgresRows> Take(const std::string& items, const delivery::v1::AuditHead& head);

  const config::v1::Postgres config_;
  std::optional<PostgresConnection> connection_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_POSTGRES_ENGINE_H_
