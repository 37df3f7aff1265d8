// Records and erasures as messages of a stream. proto/README.md section 10.2.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_JETSTREAM_MESSAGE_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_JETSTREAM_MESSAGE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "config/v1/export.pb.h"
#include "control/export/delivery/jetstream_stream.h"
#include "export/v1/export.pb.h"

namespace weir::control {

// A message's body. InvalidArgument: it can never be one.
absl::StatusOr<std::string> MessageBody(const record::v1::Record& record);

NatsRequest RecordMessage(const config::v1::JetStream& config, const delivery::v1::Item& item,
                          const delivery::v1::AuditHead& head, std::string body);

// `held`: the record as the stream has it; what must stay of it goes into the erasure.
absl::StatusOr<NatsRequest> ErasureMessage(const config::v1::JetStream& config,
                                           const delivery::v1::Item& item,
                                           const delivery::v1::AuditHead& head,
                                           const std::optional<StreamMessage>& held);

// Of the record a message has; 0: it has none, or is not ours.
int64_t VersionOf(const StreamMessage& message);
bool HasAddress(const StreamMessage& message);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_JETSTREAM_MESSAGE_H_
