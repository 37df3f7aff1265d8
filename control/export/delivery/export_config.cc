#include "control/export/delivery/export_config.h"

#include <sys/un.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "control/config/text_proto.h"
#include "control/export/delivery/jetstream_config.h"
#include "control/export/delivery/postgres_connection.h"

namespace weir::control {
namespace {

constexpr char kDefaultSocket[] = "/run/weir/export.sock";
constexpr char kDefaultState[] = "/var/lib/weir-export";
constexpr char kDefaultSpool[] = "/var/spool";

// What names files, directories and destinations.
bool IsName(const std::string& text) {
  return !text.empty() && text.size() <= 64 && text[0] != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

absl::Status CheckSpool(const std::string& where, config::v1::Spool* spool) {
  if (spool->directory().empty()) spool->set_directory(kDefaultSpool);
  if (spool->directory()[0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat(where, "spool.directory: an absolute path"));
  }
  for (const auto& [field, value] :
       {std::pair("experiment", &spool->experiment()), std::pair("datatype", &spool->datatype())}) {
    if (IsName(*value)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(where, "spool.", field,
                     ": required: 1 to 64 letters, digits, '-', '_' and '.', not '.' first"));
  }
  if (spool->datatype() == "datatypes" || spool->experiment() == "datatypes") {
    return absl::InvalidArgumentError(
        absl::StrCat(where, "spool: \"datatypes\" is where schemas are"));
  }
  return absl::OkStatus();
}

absl::Status CheckPostgres(const std::string& where, const config::v1::Postgres& postgres) {
  if (absl::Status status = CheckConninfo(postgres.conninfo()); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(where, "postgres.conninfo: ", status.message()));
  }
  if (!postgres.password_file().empty() && postgres.password_file()[0] != '/') {
    return absl::InvalidArgumentError(
        absl::StrCat(where, "postgres.password_file: an absolute path"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<config::v1::ExportConfig> LoadExportConfig(const std::string& path) {
  const auto text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  config::v1::ExportConfig config;
  if (absl::Status status = ParseTextProto(path, *text, &config); !status.ok()) return status;
  const auto fail = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
  };
  if (config.control_socket().empty()) config.set_control_socket(kDefaultSocket);
  if (config.control_socket().size() >= sizeof(sockaddr_un::sun_path)) {
    return fail("control_socket: longer than a Unix socket's path may be");
  }
  if (config.state_directory().empty()) config.set_state_directory(kDefaultState);
  if (config.destination().empty()) return fail("destination: required: where records are to go");
  std::set<std::string> names, places;
  for (config::v1::Destination& destination : *config.mutable_destination()) {
    const std::string where = absl::StrCat("destination \"", destination.name(), "\": ");
    if (!IsName(destination.name())) {
      return fail(where + "name: required: 1 to 64 letters, digits, '-', '_' and '.'");
    }
    if (!names.insert(destination.name()).second) return fail(where + "name: used twice");
    if (destination.recipient().empty()) {
      return fail(where + "recipient: required: who gets the copies, as the policy declares it");
    }
    if (destination.purpose().empty()) {
      return fail(where + "purpose: required: what they are for, as the policy declares it");
    }
    if (destination.has_jetstream()) {
      config::v1::JetStream& jetstream = *destination.mutable_jetstream();
      if (absl::Status status = CompleteJetStream(&jetstream); !status.ok()) {
        return fail(absl::StrCat(where, "jetstream.", status.message()));
      }
      if (!places.insert("jetstream " + jetstream.stream()).second) {
        return fail(where + "jetstream.stream: another destination delivers to a stream so named");
      }
      continue;
    }
    if (destination.has_postgres()) {
      const config::v1::Postgres& postgres = destination.postgres();
      if (absl::Status status = CheckPostgres(where, postgres); !status.ok()) {
        return fail(std::string(status.message()));
      }
      if (!places.insert("postgres " + postgres.conninfo()).second) {
        return fail(where + "postgres: another destination delivers to that database");
      }
      continue;
    }
    if (!destination.has_spool()) {
      return fail(where + "engine: required; allowed: spool, jetstream, postgres");
    }
    absl::Status status = CheckSpool(where, destination.mutable_spool());
    if (!status.ok()) return fail(std::string(status.message()));
    const config::v1::Spool& spool = destination.spool();
    if (!places.insert(absl::StrCat(spool.directory(), "/datatypes/", spool.datatype())).second) {
      return fail(where + "spool: another destination writes that datatype there");
    }
  }
  return config;
}

}  // namespace weir::control
