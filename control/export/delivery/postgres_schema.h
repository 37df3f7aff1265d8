// The tables records are delivered into: created, brought up to date, checked.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_POSTGRES_SCHEMA_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_POSTGRES_SCHEMA_H_

#include "absl/status/status.h"
#include "control/export/delivery/postgres_connection.h"

namespace weir::control {

// Applies the migrations (control/export/delivery/postgres/*.sql) that the database lacks, each in
// a transaction of its own, as role weir_owner if the login may; several weir-exports may do so at
// once. Then goes on as weir_writer. FailedPrecondition says what of the server, the roles or the
// schema is not as it must be, and what to do; nothing is changed then.
absl::Status PreparePostgres(PostgresConnection* connection);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_POSTGRES_SCHEMA_H_
