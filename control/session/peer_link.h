// What two nodes tell each other during a run (proto/README.md section 2.3), free of gRPC.
#ifndef WEIR_CONTROL_SESSION_PEER_LINK_H_
#define WEIR_CONTROL_SESSION_PEER_LINK_H_

#include <variant>

#include "measurement/v1/measurement.pb.h"

namespace weir::control {

using PeerMessage =
    std::variant<measurement::v1::Start, measurement::v1::Stop, measurement::v1::Progress,
                 measurement::v1::Report, measurement::v1::SenderFinal,
                 measurement::v1::ReceiverFinal, measurement::v1::Completed>;

// The Run stream as a session sees it. Thread-safe; nothing blocks; after the stream broke all
// calls do nothing.
class PeerLink {
 public:
  virtual ~PeerLink() = default;

  // Queues a message behind those already queued.
  virtual void Send(PeerMessage message) = 0;

  // The session took the last message that came: it may have the next. One message at a time is
  // under way, so a peer that floods is slowed down by its own transport.
  virtual void Next() = 0;

  // Ends this side's half when everything queued is sent. The server's ends the stream.
  virtual void Close() = 0;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_PEER_LINK_H_
