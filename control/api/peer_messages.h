// Between the bodies of a run as sessions know them and the two ends' stream messages.
#ifndef WEIR_CONTROL_API_PEER_MESSAGES_H_
#define WEIR_CONTROL_API_PEER_MESSAGES_H_

#include <optional>

#include "control/session/peer_link.h"
#include "measurement/v1/measurement.pb.h"

namespace weir::control {

// Empty: a message without a body, or with one this version does not know.
std::optional<PeerMessage> FromStream(measurement::v1::RunRequest message);
std::optional<PeerMessage> FromStream(measurement::v1::RunReply message);

// What the other role may send has no place in the message and leaves it empty.
void ToStream(const PeerMessage& body, measurement::v1::RunRequest* message);
void ToStream(const PeerMessage& body, measurement::v1::RunReply* message);

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_PEER_MESSAGES_H_
