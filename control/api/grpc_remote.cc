#include "control/api/grpc_remote.h"

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <tuple>
#include <utility>

#include "control/api/channel_arguments.h"
#include "control/api/outbox.h"
#include "control/api/peer_messages.h"
#include "control/api/read_file.h"
#include "control/api/stream_link.h"
#include "control/config/config.h"
#include "control/config/listen_address.h"
#include "measurement/v1/measurement.grpc.pb.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

constexpr std::chrono::seconds kInfoTimeout{5};
constexpr std::chrono::seconds kNegotiateTimeout{10};
constexpr std::chrono::seconds kReportTimeout{25};

// Why a server may end a connection it accepted: what a TLS alert said, gRPC does not tell.
std::string ReasonToClose(const config::v1::Client& client, const ms::RemoteServer& remote) {
  if (remote.plaintext()) return "it may speak TLS, and not plaintext";
  if (client.tls_certificate().empty()) {
    return "it may serve only clients that show a certificate (mTLS), and client.tls_certificate "
           "is not set in this node's configuration";
  }
  return "it may not accept the certificate in client.tls_certificate of this node's "
         "configuration: one of its own CA is needed (its api.tls_client_ca) that has not expired";
}

bool PeerClosed(const std::string& message) {
  return absl::StrContains(message, "Socket closed") ||
         absl::StrContains(message, "Connection reset");
}

absl::Status ToStatus(const grpc::Status& status, const std::string& reason_to_close) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return absl::OkStatus();
    case grpc::StatusCode::CANCELLED:
      return absl::CancelledError(status.error_message());
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return absl::UnavailableError(
          "no answer; is the address right, and does a firewall let the port through?");
    case grpc::StatusCode::INVALID_ARGUMENT:
      return absl::InvalidArgumentError(status.error_message());
    case grpc::StatusCode::PERMISSION_DENIED:
      return absl::PermissionDeniedError(status.error_message());
    case grpc::StatusCode::UNIMPLEMENTED:
      return absl::UnimplementedError(
          "what answers there does not serve weir.measurement.v1; is it a Weir server of this "
          "version?");
    default:
      if (PeerClosed(status.error_message())) {
        return absl::UnavailableError(absl::StrCat("ended the connection without an answer (",
                                                   status.error_message(), "); ", reason_to_close));
      }
      return absl::UnavailableError(
          absl::StrCat("cannot be reached: ", status.error_message(),
                       "; is weir-control running there, with this api.listen and a certificate "
                       "this node trusts?"));
  }
}

// The client's half of Run. Deletes itself when gRPC is done with it.
class ClientStream final : public grpc::ClientBidiReactor<ms::RunRequest, ms::RunReply> {
 public:
  using Box = Outbox<ms::RunRequest>;

  ClientStream(std::shared_ptr<ms::Measurement::Stub> stub, std::shared_ptr<Session> session)
      : stub_(std::move(stub)),
        session_(std::move(session)),
        outbox_(std::make_shared<Box>(
            Box::Stream{.write = [this](const ms::RunRequest* message) { StartWrite(message); },
                        .finish =
                            [this] {
                              // Nothing of interest follows a session's end.
                              context_.TryCancel();
                              RemoveHold();
                            }})) {}

  std::shared_ptr<Box> Start() {
    std::shared_ptr<Box> outbox = outbox_;
    stub_->async()->Run(&context_, this);
    AddHold();  // Writes and reads are started from the session's thread.
    StartRead(&reply_);
    StartCall();
    return outbox;
  }

  void Read() { StartRead(&reply_); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      session_->mailbox().Post(PeerGone{});
    } else if (std::optional<PeerMessage> body = FromStream(std::move(reply_))) {
      session_->mailbox().Post(PeerSaid{*std::move(body)});
    } else {
      StartRead(&reply_);  // A newer server's message.
    }
  }
  void OnWriteDone(bool ok) override { outbox_->OnWritten(ok); }
  void OnDone(const grpc::Status&) override {
    outbox_->Detach();
    delete this;
  }

 private:
  const std::shared_ptr<ms::Measurement::Stub> stub_;
  const std::shared_ptr<Session> session_;
  const std::shared_ptr<Box> outbox_;
  grpc::ClientContext context_;
  ms::RunReply reply_;
};

using ClientLink = StreamLink<ClientStream, ms::RunRequest>;

class GrpcRemote final : public Remote {
 public:
  GrpcRemote(const std::shared_ptr<grpc::Channel>& channel, std::string reason_to_close)
      : stub_(ms::Measurement::NewStub(channel)), reason_to_close_(std::move(reason_to_close)) {}

  absl::StatusOr<ms::ServerInfo> GetServerInfo() override {
    ms::GetServerInfoRequest request;
    request.set_protocol_version(1);
    return Call(kInfoTimeout, &Stub::GetServerInfo, request);
  }

  absl::StatusOr<ms::NegotiateReply> Negotiate(const ms::NegotiateRequest& request) override {
    return Call(kNegotiateTimeout, &Stub::Negotiate, request);
  }

  absl::StatusOr<ms::LookupReply> Lookup(const ms::LookupRequest& request) override {
    return Call(kInfoTimeout, &Stub::Lookup, request);
  }

  absl::StatusOr<ms::PublicReport> GetReport(const ms::PublicReportRequest& request) override {
    return Call(kReportTimeout, &Stub::GetReport, request);
  }

  std::shared_ptr<PeerLink> Run(std::shared_ptr<Session> session) override {
    auto* stream = new ClientStream(stub_, std::move(session));
    std::shared_ptr<ClientStream::Box> outbox = stream->Start();
    return std::make_shared<ClientLink>(stream, std::move(outbox));
  }

  void Cancel() override {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (under_way_ != nullptr) under_way_->TryCancel();
  }

 private:
  using Stub = ms::Measurement::Stub;

  template <typename Request, typename Reply>
  absl::StatusOr<Reply> Call(std::chrono::seconds timeout,
                             grpc::Status (Stub::*rpc)(grpc::ClientContext*, const Request&,
                                                       Reply*),
                             const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    {
      std::lock_guard lock(mutex_);
      if (cancelled_) return absl::CancelledError("cancelled");
      under_way_ = &context;
    }
    Reply reply;
    const grpc::Status status = (stub_.get()->*rpc)(&context, request, &reply);
    std::lock_guard lock(mutex_);
    under_way_ = nullptr;
    if (!status.ok()) return ToStatus(status, reason_to_close_);
    return reply;
  }

  const std::shared_ptr<ms::Measurement::Stub> stub_;
  const std::string reason_to_close_;
  std::mutex mutex_;
  bool cancelled_ = false;
  grpc::ClientContext* under_way_ = nullptr;
};

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(
    const config::v1::Client& client, const ms::RemoteServer& remote, const std::string& host) {
  if (remote.plaintext()) {
    if (!ListenAddress{host, 0}.IsLoopback()) {
      return absl::InvalidArgumentError(
          "remote.plaintext: only to this host (127.0.0.1, ::1, localhost); use TLS");
    }
    return grpc::InsecureChannelCredentials();
  }
  grpc::SslCredentialsOptions options;
  const bool own_ca = remote.ca_file().empty();
  for (const auto& [field, path, text] :
       {std::tuple(own_ca ? "client.ca" : "remote.ca_file",
                   own_ca ? &client.ca() : &remote.ca_file(), &options.pem_root_certs),
        std::tuple("client.tls_certificate", &client.tls_certificate(), &options.pem_cert_chain),
        std::tuple("client.tls_key", &client.tls_key(), &options.pem_private_key)}) {
    if (path->empty()) continue;
    absl::StatusOr<std::string> read = ReadFile(*path);
    if (!read.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(field, ": ", read.status().message()));
    }
    *text = *std::move(read);
  }
  return grpc::SslCredentials(options);
}

}  // namespace

absl::StatusOr<RemoteAddress> ParseRemoteAddress(const std::string& text) {
  const absl::Status bad = absl::InvalidArgumentError(absl::StrCat(
      "remote.address \"", text, "\" is not host, host:port or [IPv6]:port (1 to 65535)"));
  RemoteAddress address;
  std::string port;
  if (!text.empty() && text.front() == '[') {
    const size_t close = text.find(']');
    if (close == std::string::npos) return bad;
    address.host = text.substr(1, close - 1);
    if (close + 1 < text.size()) {
      if (text[close + 1] != ':') return bad;
      port = text.substr(close + 2);
      if (port.empty()) return bad;
    }
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    const size_t colon = text.find(':');
    address.host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.empty()) return bad;
  } else {
    address.host = text;  // A name, IPv4, or IPv6 without brackets.
  }
  uint32_t number = kDefaultApiPort;
  if (!port.empty() && (!absl::SimpleAtoi(port, &number) || number == 0 || number > 65535)) {
    return bad;
  }
  const bool v6 = address.host.find(':') != std::string::npos;
  const std::string allowed = v6 ? "0123456789abcdefABCDEF:.%" : "";
  const bool plain = std::all_of(address.host.begin(), address.host.end(), [&](char c) {
    return v6 ? allowed.find(c) != std::string::npos
              : absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' ||
                    c == '_';
  });
  if (address.host.empty() || !plain) return bad;
  address.target =
      v6 ? absl::StrCat("[", address.host, "]:", number) : absl::StrCat(address.host, ":", number);
  return address;
}

ConnectRemote MakeConnectRemote(const config::v1::Client& client) {
  return [client](const ms::RemoteServer& remote) -> absl::StatusOr<std::unique_ptr<Remote>> {
    absl::StatusOr<RemoteAddress> address = ParseRemoteAddress(remote.address());
    if (!address.ok()) return address.status();
    auto credentials = Credentials(client, remote, address->host);
    if (!credentials.ok()) return credentials.status();
    grpc::ChannelArguments arguments;
    ForEachKeepaliveArgument(
        [&arguments](const char* name, int value) { arguments.SetInt(name, value); });
    // A connection of an earlier test may be half dead: each has its own.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    // Tests go where they are sent, not through a web proxy.
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    return std::make_unique<GrpcRemote>(
        grpc::CreateCustomChannel(address->target, *credentials, arguments),
        ReasonToClose(client, remote));
  };
}

}  // namespace weir::control
