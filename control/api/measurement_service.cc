#include "control/api/measurement_service.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>
#include <absl/time/clock.h>

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "control/api/answer_later.h"
#include "control/api/grpc_status.h"
#include "control/api/outbox.h"
#include "control/api/peer_messages.h"
#include "control/api/stream_link.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

Caller CallerOf(const grpc::CallbackServerContext& context) {
  Caller caller;
  const std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return caller;
  const std::vector<grpc::string_ref> names = auth->FindPropertyValues(GRPC_X509_CN_PROPERTY_NAME);
  if (!names.empty()) {
    caller.identity = absl::StrCat("certificate:", std::string(names[0].data(), names[0].size()));
  }
  return caller;
}

// Of gRPC's "ipv4:192.0.2.1:50000" or "ipv6:%5B2001:db8::1%5D:50000".
std::string IpOf(std::string_view peer) {
  const size_t colon = peer.find(':');
  const size_t port = peer.rfind(':');
  if (colon == std::string_view::npos || port <= colon) return {};
  std::string ip(peer.substr(colon + 1, port - colon - 1));
  for (const auto& [escaped, plain] : {std::pair("%5B", ""), {"%5D", ""}, {"[", ""}, {"]", ""}}) {
    ip = absl::StrReplaceAll(ip, {{escaped, plain}});
  }
  return ip;
}

// The server's half of Run. Deletes itself when gRPC is done with it.
class ServerStream final : public grpc::ServerBidiReactor<ms::RunRequest, ms::RunReply> {
 public:
  using Box = Outbox<ms::RunReply>;

  explicit ServerStream(SessionManager* manager)
      : manager_(manager),
        outbox_(std::make_shared<Box>(
            Box::Stream{.write = [this](const ms::RunReply* message) { StartWrite(message); },
                        .finish = [this] { Finish(grpc::Status::OK); }})) {
    StartRead(&request_);
  }

  void Read() { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (session_ == nullptr) {
      Begin(ok);
    } else if (!ok) {
      session_->mailbox().Post(PeerGone{});
    } else if (std::optional<PeerMessage> body = FromStream(std::move(request_))) {
      session_->mailbox().Post(PeerSaid{*std::move(body)});
    } else {
      StartRead(&request_);  // A newer client's message.
    }
  }
  void OnWriteDone(bool ok) override { outbox_->OnWritten(ok); }
  void OnCancel() override {
    std::lock_guard lock(mutex_);
    if (session_ != nullptr) session_->mailbox().Post(PeerGone{});
  }
  void OnDone() override {
    outbox_->Detach();
    delete this;
  }

 private:
  void Begin(bool ok);

  SessionManager* const manager_;
  const std::shared_ptr<Box> outbox_;
  ms::RunRequest request_;
  std::mutex mutex_;                  // OnCancel runs beside reads.
  std::shared_ptr<Session> session_;  // Written once, by the first read.
};

using ServerLink = StreamLink<ServerStream, ms::RunReply>;

void ServerStream::Begin(bool ok) {
  if (!ok || !request_.has_start()) {
    Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                        "start: must be the first message of Run"));
    return;
  }
  ms::Start start = std::move(*request_.mutable_start());
  absl::StatusOr<std::shared_ptr<Session>> session =
      manager_->AttachRun(start.session_id(), std::make_shared<ServerLink>(this, outbox_));
  if (!session.ok()) {
    Finish(ToGrpc(session.status()));
    return;
  }
  {
    std::lock_guard lock(mutex_);
    session_ = *session;
  }
  session_->mailbox().Post(PeerSaid{std::move(start)});
}

}  // namespace

grpc::ServerUnaryReactor* MeasurementService::GetServerInfo(grpc::CallbackServerContext* context,
                                                            const ms::GetServerInfoRequest*,
                                                            ms::ServerInfo* reply) {
  *reply = manager_->Info();
  return Finish(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* MeasurementService::Negotiate(grpc::CallbackServerContext* context,
                                                        const ms::NegotiateRequest* request,
                                                        ms::NegotiateReply* reply) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  manager_->Negotiate(*request, CallerOf(*context), [reactor, reply](ms::NegotiateReply answer) {
    *reply = std::move(answer);
    reactor->Finish(grpc::Status::OK);
  });
  return reactor;
}

grpc::ServerBidiReactor<ms::RunRequest, ms::RunReply>* MeasurementService::Run(
    grpc::CallbackServerContext*) {
  return new ServerStream(manager_);
}

grpc::ServerUnaryReactor* MeasurementService::GetResult(grpc::CallbackServerContext* context,
                                                        const ms::GetResultRequest* request,
                                                        ms::GetResultReply* reply) {
  absl::StatusOr<ms::GetResultReply> result = manager_->GetResult(request->session_id());
  if (result.ok()) *reply = *result;
  return Finish(context, result.status());
}

grpc::ServerUnaryReactor* MeasurementService::Lookup(grpc::CallbackServerContext* context,
                                                     const ms::LookupRequest* request,
                                                     ms::LookupReply* reply) {
  absl::StatusOr<ms::LookupReply> found = manager_->Lookup(*request, IpOf(context->peer()));
  if (found.ok()) *reply = *found;
  return Finish(context, found.status());
}

grpc::ServerUnaryReactor* MeasurementService::GetReport(grpc::CallbackServerContext* context,
                                                        const ms::PublicReportRequest* request,
                                                        ms::PublicReport* reply) {
  if (absl::Status status = reports_.Count(IpOf(context->peer()), absl::GetCurrentTimeNanos());
      !status.ok()) {
    return Finish(context, status);
  }
  return AnswerLater(context, reply, &report_calls_, kReportsUnderWay,
                     [this, asked = *request] { return reporter_.MakeForStrangers(asked); });
}

}  // namespace weir::control
