// How a stream must be set up for deliveries to be exact.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_STREAM_SETTINGS_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_STREAM_SETTINGS_H_

#include <nats/nats.h>

#include <string>

#include "absl/status/status.h"
#include "config/v1/export.pb.h"

namespace weir::control {

// One part of a subject: 1 to 64 letters, digits, '-' and '_'.
bool IsToken(const std::string& text);

// Subjects of one record, whose id must be a token.
std::string RecordSubject(const config::v1::JetStream& config, const std::string& record_id);
std::string ErasureSubject(const config::v1::JetStream& config, const std::string& record_id);

// Creates the stream of the configuration if there is none. One that is there is never changed:
// FailedPrecondition names each setting that is wrong, what it must be, and what to do.
absl::Status CreateOrCheckStream(jsCtx* jetstream, const config::v1::JetStream& config);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_STREAM_SETTINGS_H_
