#include "control/config/config.h"

#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "control/config/listen_address.h"
#include "control/config/text_proto.h"

namespace weir::control {
namespace {

class Checker {
 public:
  explicit Checker(const std::string& path)
      : path_(path), directory_(std::filesystem::path(path).parent_path()) {}

  absl::Status Fail(const std::string& field, const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": ", field, ": ", what));
  }

  // Paths in a configuration are relative to it, wherever the daemon was started.
  std::string Resolve(const std::string& file) const {
    if (file.empty() || std::filesystem::path(file).is_absolute() || directory_.empty()) {
      return file;
    }
    return (directory_ / file).lexically_normal().string();
  }

  absl::Status Readable(const std::string& field, std::string* file) const {
    if (file->empty()) return absl::OkStatus();
    *file = Resolve(*file);
    if (access(file->c_str(), R_OK) != 0) {
      return Fail(field, absl::StrCat("cannot read ", *file, ": ", std::strerror(errno)));
    }
    return absl::OkStatus();
  }

  absl::Status Socket(const std::string& field, const char* standard, std::string* file) const {
    if (file->empty()) *file = standard;
    *file = Resolve(*file);
    if (file->size() >= sizeof(sockaddr_un::sun_path)) {
      return Fail(field, absl::StrCat("\"", *file, "\" is longer than a Unix socket path may be (",
                                      sizeof(sockaddr_un::sun_path) - 1, " bytes)"));
    }
    return absl::OkStatus();
  }

  absl::Status Listen(const std::string& field, uint16_t default_port, std::string* text) const {
    if (text->empty()) return absl::OkStatus();
    const auto address = ParseListenAddress(*text, default_port);
    if (!address.ok()) return Fail(field, std::string(address.status().message()));
    *text = address->ToString();
    return absl::OkStatus();
  }

 private:
  const std::string path_;
  const std::filesystem::path directory_;
};

#define WEIR_RETURN_IF_ERROR(expression)                                    \
  do {                                                                      \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

absl::Status CheckKeyPair(const Checker& check, const std::string& prefix, std::string* certificate,
                          std::string* key) {
  if (certificate->empty() != key->empty()) {
    return check.Fail(absl::StrCat(prefix, certificate->empty() ? "tls_certificate" : "tls_key"),
                      "required: a certificate and its key come together");
  }
  WEIR_RETURN_IF_ERROR(check.Readable(absl::StrCat(prefix, "tls_certificate"), certificate));
  return check.Readable(absl::StrCat(prefix, "tls_key"), key);
}

absl::Status CheckPorts(const Checker& check, const config::v1::Config& config) {
  std::set<std::string> names;
  for (int i = 0; i < config.port_size(); ++i) {
    const std::string field = absl::StrCat("port[", i, "].name");
    if (config.port(i).name().empty()) {
      return check.Fail(field, "required: the name of a dataplane port");
    }
    if (!names.insert(config.port(i).name()).second) {
      return check.Fail(field,
                        absl::StrCat("\"", config.port(i).name(), "\" has a budget already"));
    }
  }
  return absl::OkStatus();
}

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

absl::Status Complete(const Checker& check, config::v1::Config* config) {
  if (config->operator_().empty()) {
    return check.Fail("operator", "required: who runs this node, shown to everybody who asks it");
  }
  if (config->contact().empty()) {
    return check.Fail("contact", "required: where the operator is reached, e.g. an e-mail address");
  }
  if (config->policy_file().empty()) {
    return check.Fail("policy_file", "required: without a policy nothing may be admitted");
  }
  std::set<std::string> policies;
  for (std::string& file : *config->mutable_policy_file()) {
    if (file.empty()) return check.Fail("policy_file", "must not be empty");
    file = check.Resolve(file);
    if (!policies.insert(file).second) {
      return check.Fail("policy_file", absl::StrCat(file, " is named twice"));
    }
  }

  if (config->node().empty()) config->set_node(HostName());
  if (config->store().empty()) config->set_store(kDefaultStore);
  config->set_store(check.Resolve(config->store()));
  if (config->calibration_file().empty()) {
    const std::filesystem::path store(config->store());
    config->set_calibration_file(store.parent_path() / "calibration.textproto");
  }
  config->set_calibration_file(check.Resolve(config->calibration_file()));
  if (config->contact_store().empty()) {
    config->set_contact_store(std::filesystem::path(config->store()).parent_path() / "contacts.db");
  }
  config->set_contact_store(check.Resolve(config->contact_store()));
  if (config->contact_store() == config->store()) {
    return check.Fail("contact_store", "must not be the store of records");
  }
  WEIR_RETURN_IF_ERROR(check.Socket("dataplane_socket", kDefaultDataplaneSocket,
                                    config->mutable_dataplane_socket()));
  WEIR_RETURN_IF_ERROR(
      check.Socket("admin_socket", kDefaultAdminSocket, config->mutable_admin_socket()));
  // Beside the admin socket, and another one for each: several nodes may share a directory.
  const std::filesystem::path admin(config->admin_socket());
  const std::string beside = admin.filename() == "admin.sock"
                                 ? (admin.parent_path() / "export.sock").string()
                                 : config->admin_socket() + ".export";
  WEIR_RETURN_IF_ERROR(
      check.Socket("export_socket", beside.c_str(), config->mutable_export_socket()));
  if (config->export_socket() == config->admin_socket()) {
    return check.Fail("export_socket", "must not be the admin socket");
  }
  if (config->store_max_bytes() == 0) config->set_store_max_bytes(kDefaultStoreMaxBytes);
  if (config->max_sessions() == 0) config->set_max_sessions(kDefaultMaxSessions);

  config::v1::Api* api = config->mutable_api();
  WEIR_RETURN_IF_ERROR(check.Listen("api.listen", kDefaultApiPort, api->mutable_listen()));
  WEIR_RETURN_IF_ERROR(
      CheckKeyPair(check, "api.", api->mutable_tls_certificate(), api->mutable_tls_key()));
  if (!api->tls_client_ca().empty() && api->tls_certificate().empty()) {
    return check.Fail("api.tls_certificate", "required with api.tls_client_ca");
  }
  WEIR_RETURN_IF_ERROR(check.Readable("api.tls_client_ca", api->mutable_tls_client_ca()));

  config::v1::Client* client = config->mutable_client();
  WEIR_RETURN_IF_ERROR(check.Readable("client.ca", client->mutable_ca()));
  WEIR_RETURN_IF_ERROR(
      CheckKeyPair(check, "client.", client->mutable_tls_certificate(), client->mutable_tls_key()));

  WEIR_RETURN_IF_ERROR(check.Listen("metrics.listen", kDefaultMetricsPort,
                                    config->mutable_metrics()->mutable_listen()));
  if (const std::string& url = config->notice_webhook();
      !url.empty() && !absl::StartsWith(url, "https://") && !absl::StartsWith(url, "http://")) {
    return check.Fail("notice_webhook", "must begin with https:// or http://");
  }
  for (std::string& file : *config->mutable_asn_table()) {
    WEIR_RETURN_IF_ERROR(check.Readable("asn_table", &file));
  }
  for (config::v1::TokenIssuer& issuer : *config->mutable_token_issuer()) {
    if (issuer.audience().empty()) issuer.set_audience(config->node());
    for (config::v1::TokenKey& key : *issuer.mutable_key()) {
      WEIR_RETURN_IF_ERROR(check.Readable("token_issuer.key.public_key", key.mutable_public_key()));
    }
  }
  return CheckPorts(check, *config);
}

#undef WEIR_RETURN_IF_ERROR

}  // namespace

absl::StatusOr<config::v1::Config> LoadConfig(const std::string& path) {
  const auto text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  config::v1::Config config;
  if (absl::Status status = ParseTextProto(path, *text, &config); !status.ok()) return status;
  if (absl::Status status = Complete(Checker(path), &config); !status.ok()) return status;
  return config;
}

}  // namespace weir::control
