// A session's way to its peer over one of the two halves of Run.
#ifndef WEIR_CONTROL_API_STREAM_LINK_H_
#define WEIR_CONTROL_API_STREAM_LINK_H_

#include <memory>
#include <utility>

#include "control/api/outbox.h"
#include "control/api/peer_messages.h"
#include "control/session/peer_link.h"

namespace weir::control {

// `Stream` sends `Message`s through the outbox, which it detaches before it deletes itself, and
// has Read(), which asks for the peer's next message. Close is the session's to call: a stream that
// no session takes still has a status to finish with.
template <typename Stream, typename Message>
class StreamLink final : public PeerLink {
 public:
  StreamLink(Stream* stream, std::shared_ptr<Outbox<Message>> outbox)
      : stream_(stream), outbox_(std::move(outbox)) {}

  void Send(PeerMessage body) override {
    Message message;
    ToStream(body, &message);
    outbox_->Send(std::move(message));
  }
  void Next() override {
    outbox_->IfAttached([this] { stream_->Read(); });
  }
  void Close() override { outbox_->Close(); }

 private:
  Stream* const stream_;  // Valid while the outbox is attached.
  const std::shared_ptr<Outbox<Message>> outbox_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_STREAM_LINK_H_
