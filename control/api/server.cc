#include "control/api/server.h"

#include <absl/strings/str_cat.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "control/api/admin_service.h"
#include "control/api/channel_arguments.h"
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
absl::Status CheckAdminSocket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("admin_socket: '", path, "' is longer than ",
                                                   sizeof(address.sun_path) - 1, " characters"));
  }
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) return absl::OkStatus();
  if (!S_ISSOCK(info.st_mode)) {
    return absl::UnavailableError(
        absl::StrCat("admin_socket: '", path, "' exists and is not a socket; remove it"));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ipc::UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    return absl::UnavailableError(absl::StrCat("admin_socket: '", path,
                                               "' is in use by a running weir-control; stop it or "
                                               "choose another path"));
  }
  return absl::OkStatus();
}

}  // namespace

struct ApiServer::Services {
  Services(SessionManager* manager, Store* store, PolicyReloader* policy,
           const Admission* admission)
      : measurement(manager), admin(manager, store, policy, admission) {}

  MeasurementService measurement;
  AdminService admin;
  std::unique_ptr<grpc::Server> admin_server;
  std::unique_ptr<grpc::Server> public_server;
  std::string admin_socket;
};

absl::Status ApiServer::CheckTransport(const config::v1::Config& config, bool allow_plaintext) {
  if (config.api().listen().empty()) return absl::OkStatus();
  absl::StatusOr<ListenAddress> listen = ParseListenAddress(config.api().listen(), kDefaultApiPort);
  if (!listen.ok()) return listen.status();
  return Credentials(config.api(), allow_plaintext, *listen).status();
}

absl::StatusOr<std::unique_ptr<ApiServer>> ApiServer::Start(const config::v1::Config& config,
                                                            bool allow_plaintext,
                                                            SessionManager* manager, Store* store,
                                                            PolicyReloader* policy,
                                                            const Admission* admission) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  std::unique_ptr<ApiServer> api(new ApiServer());
  api->services_ = std::make_unique<Services>(manager, store, policy, admission);
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

  if (absl::Status status = CheckAdminSocket(config.admin_socket()); !status.ok()) return status;
  grpc::ServerBuilder builder;
  int bound = 0;
  builder.AddListeningPort(absl::StrCat("unix:", config.admin_socket()),
                           grpc::InsecureServerCredentials(), &bound);
  builder.RegisterService(&services.admin);
  const mode_t before = umask(0117);  // 0660: its owner and group are the node's admins.
  services.admin_server = builder.BuildAndStart();
  umask(before);
  if (services.admin_server == nullptr || bound == 0) {
    return absl::UnavailableError(absl::StrCat("admin_socket: cannot listen on '",
                                               config.admin_socket(),
                                               "'; does its directory exist and may we write it?"));
  }
  services.admin_socket = config.admin_socket();
  return api;
}

void ApiServer::Shutdown() {
  const auto deadline = std::chrono::system_clock::now() + std::chrono::milliseconds(500);
  if (services_->public_server != nullptr) services_->public_server->Shutdown(deadline);
  if (services_->admin_server != nullptr) services_->admin_server->Shutdown(deadline);
}

ApiServer::~ApiServer() {
  if (services_ == nullptr) return;
  Shutdown();
  services_->public_server.reset();
  services_->admin_server.reset();
  if (!services_->admin_socket.empty()) unlink(services_->admin_socket.c_str());
}

}  // namespace weir::control
