#include "control/api/peer_messages.h"

#include <utility>

namespace weir::control {
namespace {

namespace ms = measurement::v1;

void Put(const ms::Start& body, ms::RunRequest* message) { *message->mutable_start() = body; }
void Put(const ms::Stop& body, ms::RunRequest* message) { *message->mutable_stop() = body; }
void Put(const ms::Progress& body, ms::RunReply* message) { *message->mutable_progress() = body; }
void Put(const ms::Completed& body, ms::RunReply* message) { *message->mutable_completed() = body; }
template <typename Message>
void Put(const ms::Report& body, Message* message) {
  *message->mutable_report() = body;
}
template <typename Message>
void Put(const ms::SenderFinal& body, Message* message) {
  *message->mutable_sender_final() = body;
}
template <typename Message>
void Put(const ms::ReceiverFinal& body, Message* message) {
  *message->mutable_receiver_final() = body;
}
// The other role's.
void Put(const ms::Start&, ms::RunReply*) {}
void Put(const ms::Stop&, ms::RunReply*) {}
void Put(const ms::Progress&, ms::RunRequest*) {}
void Put(const ms::Completed&, ms::RunRequest*) {}

template <typename Message>
void PutAny(const PeerMessage& body, Message* message) {
  std::visit([message](const auto& part) { Put(part, message); }, body);
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

void ToStream(const PeerMessage& body, ms::RunRequest* message) { PutAny(body, message); }
void ToStream(const PeerMessage& body, ms::RunReply* message) { PutAny(body, message); }

}  // namespace weir::control
