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
// changes nothing, so no state is needed here. Who reads what there is what the policy in force
// says, which comes with the batches.
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
  // In one transaction: why each item can never be taken, "" where it is taken. From then on
  // readers are held to what the batch was judged under.
  absl::StatusOr<PostgresRows> Take(const delivery::v1::PullReply& batch, const std::string& items);

  const config::v1::Postgres config_;
  std::string disclosed_;  // The digest of what readers are held to; of this connection.
  std::optional<PostgresConnection> connection_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_POSTGRES_ENGINE_H_
