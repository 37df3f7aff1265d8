#include "control/api/server.h"

#include <absl/strings/str_cat.h>
#include <grp.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "control/api/admin_service.h"
#include "control/api/channel_arguments.h"
#include "control/api/export_service.h"
#include "control/api/measurement_service.h"
#include "control/api/read_file.h"
#include "control/config/config.h"
#include "control/config/listen_address.h"
#include "ipc/seqpacket.h"

namespace weir::control {
namespace {

constexpr int kMaxStreamsPerConnection = 64;
constexpr size_t kQuotaBytes = 64u << 20;

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(const config::v1::Api& api,
                                                                     bool allow_plaintext,
                                                                     const ListenAddress& listen) {
  if (api.tls_certificate().empty()) {
    if (!allow_plaintext) {
      return absl::InvalidArgumentError(
          "api.tls_certificate: required; set it and api.tls_key, or start with "
          "--allow-plaintext to serve this host only");
    }
    if (!listen.IsLoopback()) {
      return absl::InvalidArgumentError(
          absl::StrCat("api.listen: ", listen.ToString(),
                       " is not a loopback address; --allow-plaintext serves this host only: set "
                       "api.tls_certificate and api.tls_key, or listen on 127.0.0.1 or [::1]"));
    }
    return grpc::InsecureServerCredentials();
  }
  grpc::SslServerCredentialsOptions options(
      api.tls_client_ca().empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                  : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  grpc::SslServerCredentialsOptions::PemKeyCertPair pair;
  for (const auto& [field, path, text] :
       {std::tuple("api.tls_certificate", &api.tls_certificate(), &pair.cert_chain),
        std::tuple("api.tls_key", &api.tls_key(), &pair.private_key),
        std::tuple("api.tls_client_ca", &api.tls_client_ca(), &options.pem_root_certs)}) {
    if (path->empty()) continue;
    absl::StatusOr<std::string> read = ReadFile(*path);
    if (!read.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(field, ": ", read.status().message()));
    }
    *text = *std::move(read);
  }
  options.pem_key_cert_pairs.push_back(std::move(pair));
  return grpc::SslServerCredentials(options);
}

// gRPC replaces whatever socket it finds; one that answers belongs to another weir-control.
absl::Status CheckSocket(const std::string& field, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": '", path, "' is longer than ",
                                                   sizeof(address.sun_path) - 1, " characters"));
  }
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) return absl::OkStatus();
  if (!S_ISSOCK(info.st_mode)) {
    return absl::UnavailableError(
        absl::StrCat(field, ": '", path, "' exists and is not a socket; remove it"));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ipc::UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    return absl::UnavailableError(absl::StrCat(field, ": '", path,
                                               "' is in use by a running weir-control; stop it or "
                                               "choose another path"));
  }
  return absl::OkStatus();
}

// Only this user and group may connect. weir-export is of another group, so that it cannot use the
// admin socket: its socket is given to that group, if there is one and we are in it.
constexpr char kExportGroup[] = "weir-export";

absl::StatusOr<std::unique_ptr<grpc::Server>> ListenUnix(const std::string& field,
                                                         const std::string& path,
                                                         grpc::Service* service) {
  if (absl::Status status = CheckSocket(field, path); !status.ok()) return status;
  grpc::ServerBuilder builder;
  int bound = 0;
  builder.AddListeningPort(absl::StrCat("unix:", path), grpc::InsecureServerCredentials(), &bound);
  builder.RegisterService(service);
  const mode_t before = umask(0117);  // 0660.
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  umask(before);
  if (server == nullptr || bound == 0) {
    return absl::UnavailableError(absl::StrCat(field, ": cannot listen on '", path,
                                               "'; does its directory exist and may we write it?"));
  }
  return server;
}

void GiveToGroup(const std::string& path, const char* name) {
  const group* found = getgrnam(name);
  if (found != nullptr && chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0) {
    spdlog::warn("{}: cannot be given to the group {}: {}", path, name, std::strerror(errno));
  }
}

}  // namespace

struct ApiServer::Services {
  Services(const config::v1::Config& config, const Served& served)
      : measurement(&config, served),
        exporting(served.admission, served.store, served.metrics, config.node()),
        admin(&config, served, &exporting) {}

  MeasurementService measurement;
  ExportService exporting;
  AdminService admin;
  std::unique_ptr<grpc::Server> admin_server;
  std::unique_ptr<grpc::Server> export_server;
  std::unique_ptr<grpc::Server> public_server;
  std::string admin_socket;
  std::string export_socket;
};

absl::Status ApiServer::CheckTransport(const config::v1::Config& config, bool allow_plaintext) {
  if (config.api().listen().empty()) return absl::OkStatus();
  absl::StatusOr<ListenAddress> listen = ParseListenAddress(config.api().listen(), kDefaultApiPort);
  if (!listen.ok()) return listen.status();
  return Credentials(config.api(), allow_plaintext, *listen).status();
}

absl::StatusOr<std::unique_ptr<ApiServer>> ApiServer::Start(const config::v1::Config& config,
                                                            bool allow_plaintext,
                                                            const Served& served) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  std::unique_ptr<ApiServer> api(new ApiServer());
  api->services_ = std::make_unique<Services>(config, served);
  Services& services = *api->services_;

  if (!config.api().listen().empty()) {
    absl::StatusOr<ListenAddress> listen =
        ParseListenAddress(config.api().listen(), kDefaultApiPort);
    if (!listen.ok()) return listen.status();
    auto credentials = Credentials(config.api(), allow_plaintext, *listen);
    if (!credentials.ok()) return credentials.status();
    grpc::ServerBuilder builder;
    ForEachKeepaliveArgument(
        [&builder](const char* name, int value) { builder.AddChannelArgument(name, value); });
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    grpc::ResourceQuota quota("public API");
    builder.SetResourceQuota(quota.Resize(kQuotaBytes));
    builder.AddListeningPort(listen->ToString(), *credentials, &api->port_);
    builder.RegisterService(&services.measurement);
    services.public_server = builder.BuildAndStart();
    if (services.public_server == nullptr || api->port_ == 0) {
      return absl::UnavailableError(absl::StrCat(
          "api.listen: cannot listen on ", listen->ToString(),
          "; is the port taken, the address this host's, and is the certificate one?"));
    }
  }

  auto admin = ListenUnix("admin_socket", config.admin_socket(), &services.admin);
  if (!admin.ok()) return admin.status();
  services.admin_server = *std::move(admin);
  services.admin_socket = config.admin_socket();
  auto exporting = ListenUnix("export_socket", config.export_socket(), &services.exporting);
  if (!exporting.ok()) return exporting.status();
  services.export_server = *std::move(exporting);
  services.export_socket = config.export_socket();
  GiveToGroup(services.export_socket, kExportGroup);
  return api;
}

void ApiServer::Shutdown() {
  const auto deadline = std::chrono::system_clock::now() + std::chrono::milliseconds(500);
  if (services_->public_server != nullptr) services_->public_server->Shutdown(deadline);
  if (services_->admin_server != nullptr) services_->admin_server->Shutdown(deadline);
  if (services_->export_server != nullptr) services_->export_server->Shutdown(deadline);
}

ApiServer::~ApiServer() {
  if (services_ == nullptr) return;
  Shutdown();
  services_->public_server.reset();
  services_->admin_server.reset();
  services_->export_server.reset();
  if (!services_->export_socket.empty()) unlink(services_->export_socket.c_str());
  if (!services_->admin_socket.empty()) unlink(services_->admin_socket.c_str());
}

}  // namespace weir::control
