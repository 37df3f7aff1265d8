#include "control/export/delivery/nats_link.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "control/config/text_proto.h"

namespace weir::control {
namespace {

constexpr int64_t kConnectMs = 3000;
constexpr int64_t kPingMs = 5000;
constexpr int kPingsOut = 2;

struct OptionsDeleter {
  void operator()(natsOptions* options) const { natsOptions_Destroy(options); }
};
using Options = std::unique_ptr<natsOptions, OptionsDeleter>;

struct MsgDeleter {
  void operator()(natsMsg* message) const { natsMsg_Destroy(message); }
};
using Msg = std::unique_ptr<natsMsg, MsgDeleter>;

// Else the library writes them to stderr. They are asked for where something failed.
void Ignore(natsConnection*, natsSubscription*, natsStatus, void*) {}

absl::Status FileProblem(const std::string& field, natsStatus status) {
  return absl::FailedPreconditionError(absl::StrCat("jetstream.", field, ": ", NatsError(status)));
}

absl::Status SetCredentials(const config::v1::JetStream& config, natsOptions* options) {
  if (!config.credentials_file().empty()) {
    // The library reads it only when it connects, and then says no more than that it failed.
    const auto text = ReadTextFile(config.credentials_file());
    if (!text.ok()) return text.status();
    const natsStatus status = natsOptions_SetUserCredentialsFromFiles(
        options, config.credentials_file().c_str(), nullptr);
    if (status != NATS_OK) return FileProblem("credentials_file", status);
  }
  if (!config.user().empty()) {
    const auto text = ReadTextFile(config.password_file());
    if (!text.ok()) return text.status();
    const std::string password(absl::StripSuffix(*text, "\n"));
    const natsStatus status =
        natsOptions_SetUserInfo(options, config.user().c_str(), password.c_str());
    if (status != NATS_OK) return FileProblem("user", status);
  }
  return absl::OkStatus();
}

bool UsesTls(const config::v1::JetStream& config) {
  return !config.ca_file().empty() || !config.certificate_file().empty() ||
         absl::StartsWith(config.server(0), "tls://");
}

absl::Status SetTls(const config::v1::JetStream& config, natsOptions* options) {
  if (!UsesTls(config)) return absl::OkStatus();
  natsStatus status = natsOptions_SetSecure(options, true);
  if (status != NATS_OK) return FileProblem("server", status);
  if (!config.ca_file().empty()) {
    status = natsOptions_LoadCATrustedCertificates(options, config.ca_file().c_str());
    if (status != NATS_OK) return FileProblem("ca_file", status);
  }
  if (!config.certificate_file().empty()) {
    status = natsOptions_LoadCertificatesChain(options, config.certificate_file().c_str(),
                                               config.key_file().c_str());
    if (status != NATS_OK) return FileProblem("certificate_file, key_file", status);
  }
  return absl::OkStatus();
}

absl::StatusOr<Options> MakeOptions(const config::v1::JetStream& config) {
  natsOptions* raw = nullptr;
  if (natsOptions_Create(&raw) != NATS_OK) return absl::ResourceExhaustedError("out of memory");
  Options options(raw);
  std::vector<const char*> servers;
  for (const std::string& server : config.server()) servers.push_back(server.c_str());
  const natsStatus status =
      natsOptions_SetServers(raw, servers.data(), static_cast<int>(servers.size()));
  if (status != NATS_OK) return FileProblem("server", status);
  natsOptions_SetName(raw, "weir-export");
  natsOptions_SetAllowReconnect(raw, false);
  natsOptions_SetTimeout(raw, kConnectMs);
  natsOptions_SetPingInterval(raw, kPingMs);
  natsOptions_SetMaxPingsOut(raw, kPingsOut);
  natsOptions_SetErrorHandler(raw, Ignore, nullptr);
  if (absl::Status set = SetTls(config, raw); !set.ok()) return set;
  if (absl::Status set = SetCredentials(config, raw); !set.ok()) return set;
  return options;
}

absl::Status CannotConnect(const config::v1::JetStream& config, natsStatus status) {
  switch (status) {
    case NATS_CONNECTION_AUTH_FAILED:
      return absl::UnauthenticatedError(
          "the NATS servers refuse the credentials: check jetstream.credentials_file, or user "
          "and password_file, and what the servers' configuration says of that user");
    case NATS_NO_SERVER:
    case NATS_TIMEOUT:
      return absl::UnavailableError(
          "none of the servers of jetstream.server can be reached: do they run, and may this "
          "host connect to them?");
    case NATS_SECURE_CONNECTION_WANTED:
    case NATS_SECURE_CONNECTION_REQUIRED:
      return absl::FailedPreconditionError(absl::StrCat(
          "TLS: ", natsStatus_GetText(status),
          ": let jetstream.server begin with tls:// and set ca_file where the servers want TLS"));
    case NATS_SSL_ERROR:
      return absl::FailedPreconditionError(
          absl::StrCat("TLS: ", NatsError(status),
                       ": is jetstream.ca_file that of who signed the servers' "
                       "certificates, and do they name the hosts of jetstream.server?"));
    default: {
      // With TLS 1.3 a server that wants a certificate closes the connection, and does not say so.
      const bool anonymous = UsesTls(config) && config.certificate_file().empty();
      return absl::UnavailableError(absl::StrCat(
          "cannot connect to the NATS servers: ", NatsError(status),
          anonymous ? ": do they want a client's certificate (jetstream.certificate_file)?" : ""));
    }
  }
}

}  // namespace

std::string NatsError(natsStatus status) {
  natsStatus last = NATS_OK;
  const char* detail = nats_GetLastError(&last);
  if (last == status && detail != nullptr && *detail != '\0') return detail;
  return natsStatus_GetText(status);
}

absl::StatusOr<std::unique_ptr<NatsLink>> NatsLink::Connect(const config::v1::JetStream& config) {
  auto options = MakeOptions(config);
  if (!options.ok()) return options.status();
  std::unique_ptr<NatsLink> link(new NatsLink);
  natsStatus status = natsConnection_Connect(&link->connection_, options->get());
  if (status != NATS_OK) return CannotConnect(config, status);
  natsInbox* inbox = nullptr;
  status = natsInbox_Create(&inbox);
  if (status == NATS_OK) {
    link->inbox_ = inbox;
    natsInbox_Destroy(inbox);
    status = natsConnection_SubscribeSync(&link->answers_, link->connection_,
                                          (link->inbox_ + ".>").c_str());
  }
  if (status == NATS_OK) {
    status = natsConnection_JetStream(&link->jetstream_, link->connection_, nullptr);
  }
  if (status != NATS_OK) return CannotConnect(config, status);
  return link;
}

NatsLink::~NatsLink() {
  jsCtx_Destroy(jetstream_);
  natsSubscription_Destroy(answers_);
  natsConnection_Destroy(connection_);
}

absl::Status NatsLink::Lost(const std::string& what) const {
  const char* complaint = nullptr;
  natsConnection_GetLastError(connection_, &complaint);
  if (complaint == nullptr || *complaint == '\0') return absl::UnavailableError(what);
  return absl::UnavailableError(absl::StrCat(what, "; the server said: ", complaint));
}

absl::Status NatsLink::Send(const NatsRequest& request, size_t number) {
  natsMsg* raw = nullptr;
  const std::string reply = absl::StrCat(inbox_, ".", call_, ".", number);
  natsStatus status = natsMsg_Create(&raw, request.subject.c_str(), reply.c_str(),
                                     request.body.data(), static_cast<int>(request.body.size()));
  const Msg message(raw);
  for (const auto& [name, value] : request.headers) {
    if (status != NATS_OK) break;
    status = natsMsgHeader_Set(raw, name.c_str(), value.c_str());
  }
  if (status == NATS_OK) status = natsConnection_PublishMsg(connection_, raw);
  if (status == NATS_OK) return absl::OkStatus();
  return Lost(absl::StrCat("cannot send to the NATS server: ", NatsError(status)));
}

absl::StatusOr<std::vector<std::string>> NatsLink::Ask(const std::vector<NatsRequest>& requests,
                                                       std::chrono::milliseconds patience) {
  ++call_;  // What still comes of an earlier call is told by it.
  for (size_t i = 0; i < requests.size(); ++i) {
    if (absl::Status status = Send(requests[i], i); !status.ok()) return status;
  }
  const std::string prefix = absl::StrCat(inbox_, ".", call_, ".");
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::vector<std::string> answers(requests.size());
  std::vector<bool> answered(requests.size());
  for (size_t missing = requests.size(); missing > 0;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    natsMsg* raw = nullptr;
    const natsStatus status =
        natsSubscription_NextMsg(&raw, answers_, std::max<int64_t>(left.count(), 1));
    const Msg message(raw);
    if (status == NATS_NO_RESPONDERS) {
      return Lost("the NATS servers are there, but JetStream or the stream has no leader now");
    }
    if (status != NATS_OK) {
      return Lost(absl::StrCat(
          missing, " of ", requests.size(),
          " requests have no answer from the NATS servers: ", natsStatus_GetText(status)));
    }
    const std::string subject = natsMsg_GetSubject(raw);
    size_t number = 0;
    if (!absl::StartsWith(subject, prefix) ||
        !absl::SimpleAtoi(subject.substr(prefix.size()), &number) || number >= requests.size() ||
        answered[number]) {
      continue;
    }
    answered[number] = true;
    answers[number].assign(natsMsg_GetData(raw), static_cast<size_t>(natsMsg_GetDataLength(raw)));
    --missing;
  }
  return answers;
}

}  // namespace weir::control
