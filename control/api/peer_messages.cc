#include "control/api/peer_messages.h"

#include <utility>

namespace weir::control {
namespace {

namespace ms = measurement::v1;

void Put(ms::Start body, ms::RunRequest* message) { *message->mutable_start() = std::move(body); }
void Put(ms::Stop body, ms::RunRequest* message) { *message->mutable_stop() = std::move(body); }
void Put(ms::Progress body, ms::RunReply* message) {
  *message->mutable_progress() = std::move(body);
}
void Put(ms::Completed body, ms::RunReply* message) {
  *message->mutable_completed() = std::move(body);
}
template <typename Message>
void Put(ms::Report body, Message* message) {
  *message->mutable_report() = std::move(body);
}
template <typename Message>
void Put(ms::SenderFinal body, Message* message) {
  *message->mutable_sender_final() = std::move(body);
}
template <typename Message>
void Put(ms::ReceiverFinal body, Message* message) {
  *message->mutable_receiver_final() = std::move(body);
}
// The other role's.
void Put(const ms::Start&, ms::RunReply*) {}
void Put(const ms::Stop&, ms::RunReply*) {}
void Put(const ms::Progress&, ms::RunRequest*) {}
void Put(const ms::Completed&, ms::RunRequest*) {}

template <typename Message>
void PutAny(PeerMessage body, Message* message) {
  std::visit([message](auto&& part) { Put(std::forward<decltype(part)>(part), message); },
             std::move(body));
}

}  // namespace

std::optional<PeerMessage> FromStream(ms::RunRequest message) {
  switch (message.body_case()) {
    case ms::RunRequest::kStart:
      return std::move(*message.mutable_start());
    case ms::RunRequest::kReport:
      return std::move(*message.mutable_report());
    case ms::RunRequest::kSenderFinal:
      return std::move(*message.mutable_sender_final());
    case ms::RunRequest::kStop:
      return std::move(*message.mutable_stop());
    case ms::RunRequest::kReceiverFinal:
      return std::move(*message.mutable_receiver_final());
    case ms::RunRequest::BODY_NOT_SET:
      break;
  }
  return std::nullopt;
}

std::optional<PeerMessage> FromStream(ms::RunReply message) {
  switch (message.body_case()) {
    case ms::RunReply::kProgress:
      return std::move(*message.mutable_progress());
    case ms::RunReply::kReport:
      return std::move(*message.mutable_report());
    case ms::RunReply::kSenderFinal:
      return std::move(*message.mutable_sender_final());
    case ms::RunReply::kCompleted:
      return std::move(*message.mutable_completed());
    case ms::RunReply::kReceiverFinal:
      return std::move(*message.mutable_receiver_final());
    case ms::RunReply::BODY_NOT_SET:
      break;
  }
  return std::nullopt;
}

void ToStream(PeerMessage body, ms::RunRequest* message) { PutAny(std::move(body), message); }
void ToStream(PeerMessage body, ms::RunReply* message) { PutAny(std::move(body), message); }

}  // namespace weir::control
