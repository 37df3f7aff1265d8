#include "control/export/delivery/postgres_schema.h"

#include <spdlog/spdlog.h>

#include <iterator>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "control/export/delivery/postgres_migrations.h"

namespace weir::control {
namespace {

constexpr int kOldestServer = 150'000;  // A view as its reader (security_invoker).
constexpr int kNewestSchema = static_cast<int>(std::size(kPostgresMigrations));
// One weir-export at a time; any number that is nobody else's.
constexpr char kLockMigrations[] = "SELECT pg_advisory_xact_lock(2003134834)";

absl::Status Unfit(const std::string& what) {
  return absl::FailedPreconditionError(absl::StrCat("schema: ", what));
}

// The first column of the first row.
absl::StatusOr<std::string> Ask(PostgresConnection* connection, const std::string& sql) {
  const auto rows = connection->Execute(sql);
  if (!rows.ok()) return rows.status();
  if (rows->empty() || rows->front().empty()) return absl::InternalError("PostgreSQL: no answer");
  return rows->front().front();
}

absl::Status CheckServerAndRoles(PostgresConnection* connection) {
  if (connection->server_version() < kOldestServer) {
    return Unfit(absl::StrCat("the server is PostgreSQL ", connection->server_version() / 10'000,
                              "; needed is 15 or newer"));
  }
  const auto missing =
      Ask(connection,
          "SELECT coalesce(string_agg(needed, ', '), '') FROM unnest('{weir_owner, weir_writer, "
          "weir_public, weir_researcher, weir_operator, weir_partner}'::text[]) AS needed "
          "WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = needed)");
  if (!missing.ok()) return missing.status();
  if (!missing->empty()) {
    return Unfit(absl::StrCat("roles missing: ", *missing,
                              "; run roles.sql as the server's superuser (deploy/postgres)"));
  }
  const auto writes = Ask(connection, "SELECT pg_has_role(session_user, 'weir_writer', 'member')");
  if (!writes.ok()) return writes.status();
  if (*writes == "t") return absl::OkStatus();
  return Unfit("this login may not deliver; as the server's superuser: GRANT weir_writer TO it");
}

// 0: there is nothing yet.
absl::StatusOr<int> FindVersion(PostgresConnection* connection) {
  const auto found = Ask(connection,
                         "SELECT CASE WHEN to_regnamespace('weir') IS NULL THEN 0 "
                         "WHEN NOT has_schema_privilege('weir', 'usage') THEN 1 "
                         "WHEN to_regclass('weir.schema_version') IS NULL THEN 1 ELSE 2 END");
  if (!found.ok()) return found.status();
  if (*found == "0") return 0;
  if (*found == "1") {
    return Unfit(
        "the database has a schema \"weir\" without a schema_version for weir_writer: not one of "
        "ours; give weir-export a database of its own");
  }
  const auto text = Ask(connection, "SELECT coalesce(max(version), 0) FROM weir.schema_version");
  if (!text.ok()) return text.status();
  int version = 0;
  if (!absl::SimpleAtoi(*text, &version) || version < 1) {
    return Unfit("weir.schema_version is not one of ours; give weir-export a database of its own");
  }
  if (version > kNewestSchema) {
    return Unfit(absl::StrCat("the database has version ", version,
                              ", this weir-export knows up to ", kNewestSchema,
                              "; install the newer weir-export"));
  }
  return version;
}

// Within a transaction, one version further. True: there was something left to do.
absl::StatusOr<bool> MigrateOnce(PostgresConnection* connection) {
  for (const char* sql : {kLockMigrations, "SET LOCAL ROLE weir_owner"}) {
    if (const auto done = connection->Execute(sql); !done.ok()) return done.status();
  }
  const auto version = FindVersion(connection);
  if (!version.ok()) return version.status();
  if (*version == kNewestSchema) return false;
  const auto done = connection->Execute(kPostgresMigrations[*version], {}, std::nullopt);
  if (!done.ok()) return done.status();
  spdlog::info("postgres: the schema is now of version {}", *version + 1);
  return true;
}

absl::Status Migrate(PostgresConnection* connection) {
  while (true) {
    if (const auto begun = connection->Execute("BEGIN"); !begun.ok()) return begun.status();
    const auto more = MigrateOnce(connection);
    const auto ended = connection->Execute(more.ok() ? "COMMIT" : "ROLLBACK");
    if (!more.ok()) return more.status();
    if (!ended.ok()) return ended.status();
    if (!*more) return absl::OkStatus();
  }
}

// What keeps addresses from who must not see them is there and on.
absl::Status CheckProtection(PostgresConnection* connection) {
  const auto open = Ask(
      connection,
      "SELECT coalesce(string_agg(needed, ', '), '') FROM "
      "unnest('{record, measurement, metadata, client}'::text[]) AS needed WHERE NOT EXISTS "
      "(SELECT FROM pg_class c WHERE c.oid = to_regclass('weir.' || needed) AND c.relrowsecurity)");
  if (!open.ok()) return open.status();
  if (!open->empty()) {
    return Unfit(absl::StrCat("row-level security is off, or the table is not there: ", *open,
                              "; nothing is delivered until ALTER TABLE weir.", *open,
                              " ENABLE ROW LEVEL SECURITY"));
  }
  const auto lacking = Ask(
      connection,
      "SELECT coalesce(string_agg(needed, ', '), '') FROM "
      "unnest('{weir.disclose(jsonb), \"weir.deliver(json, bigint, text)\"}'::text[]) AS needed "
      "WHERE NOT coalesce(has_function_privilege('weir_writer', to_regprocedure(needed), "
      "'execute'), false)");
  if (!lacking.ok()) return lacking.status();
  if (lacking->empty()) return absl::OkStatus();
  return Unfit(
      absl::StrCat("weir_writer may not call ", *lacking, ", or it is not there; restore it"));
}

}  // namespace

absl::Status PreparePostgres(PostgresConnection* connection) {
  if (absl::Status status = CheckServerAndRoles(connection); !status.ok()) return status;
  if (const auto set = connection->Execute("SET ROLE weir_writer"); !set.ok()) return set.status();
  const auto version = FindVersion(connection);
  if (!version.ok()) return version.status();
  if (*version < kNewestSchema) {
    const auto may = Ask(connection, "SELECT pg_has_role(session_user, 'weir_owner', 'member')");
    if (!may.ok()) return may.status();
    if (*may != "t") {
      return Unfit(absl::StrCat("the database has version ", *version, ", needed is ",
                                kNewestSchema,
                                "; GRANT weir_owner to this login, or apply the files of "
                                "deploy/postgres as weir_owner"));
    }
    if (absl::Status status = Migrate(connection); !status.ok()) return status;
  }
  return CheckProtection(connection);
}

}  // namespace weir::control
