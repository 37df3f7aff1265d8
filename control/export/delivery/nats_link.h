// A connection to NATS servers.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_NATS_LINK_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_NATS_LINK_H_

#include <nats/nats.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/v1/export.pb.h"

namespace weir::control {

struct NatsRequest {
  std::string subject;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};
};

// What went wrong last in this thread's calls of the library, in words.
std::string NatsError(natsStatus status);

// To one of several servers. Never comes back by itself: whoever uses it opens another, and so
// knows that what was under way is gone. Used by one thread.
class NatsLink {
 public:
  // Errors name fields of the configuration, never what is in its files, nor an address.
  static absl::StatusOr<std::unique_ptr<NatsLink>> Connect(const config::v1::JetStream& config);
  ~NatsLink();
  NatsLink(const NatsLink&) = delete;
  NatsLink& operator=(const NatsLink&) = delete;

  // Sends all, then waits for the answer to each: in the order of the requests. A failure says
  // nothing of what became of those sent.
  absl::StatusOr<std::vector<std::string>> Ask(const std::vector<NatsRequest>& requests,
                                               std::chrono::milliseconds patience);
  jsCtx* jetstream() const { return jetstream_; }
  // Body and headers together.
  int64_t max_payload_bytes() const { return natsConnection_GetMaxPayload(connection_); }

 private:
  NatsLink() = default;
  absl::Status Send(const NatsRequest& request, size_t number);
  // With what the server complained of last, if it did.
  absl::Status Lost(const std::string& what) const;

  natsConnection* connection_ = nullptr;
  jsCtx* jetstream_ = nullptr;
  natsSubscription* answers_ = nullptr;
  std::string inbox_;  // Answers come to <inbox>.<call>.<number of the request>.
  uint64_t call_ = 0;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_NATS_LINK_H_
