// The stream that a destination's records are kept in.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_JETSTREAM_STREAM_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_JETSTREAM_STREAM_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/v1/export.pb.h"
#include "control/export/delivery/nats_link.h"

namespace weir::control {

struct StreamMessage {
  uint64_t sequence = 0;
  std::map<std::string, std::string> headers = {};
  std::string body = {};
};

// Keeps one message a subject and refuses a second: that makes a delivery exact however often it
// is tried. A connection that failed stays so; open another. Used by one thread.
class JetStreamStream {
 public:
  // Connects, and creates the stream if there is none of this name. One that is not as it must be
  // is left as it is: FailedPrecondition says what is wrong with it.
  static absl::StatusOr<std::unique_ptr<JetStreamStream>> Open(const config::v1::JetStream& config);

  // For each message: empty if the servers stored it, else why not; most likely its subject is
  // taken, but they do not tell that from a full disk. Unavailable: it is unknown of each.
  absl::StatusOr<std::vector<std::string>> Publish(std::vector<NatsRequest> messages);
  // The message of each subject as the stream's leader has it.
  absl::StatusOr<std::vector<std::optional<StreamMessage>>> Read(
      const std::vector<std::string>& subjects);
  // Removes a message and overwrites where it was. OK if it is not there.
  absl::Status Erase(uint64_t sequence);

  int64_t max_message_bytes() const { return link_->max_payload_bytes(); }

 private:
  JetStreamStream(std::unique_ptr<NatsLink> link, std::string name)
      : link_(std::move(link)), name_(std::move(name)) {}

  const std::unique_ptr<NatsLink> link_;
  const std::string name_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_JETSTREAM_STREAM_H_
