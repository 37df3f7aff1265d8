// The configuration of a jetstream destination.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_JETSTREAM_CONFIG_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_JETSTREAM_CONFIG_H_

#include "absl/status/status.h"
#include "config/v1/export.pb.h"

namespace weir::control {

// Checks and completes it. InvalidArgument names the field below jetstream and what is allowed.
absl::Status CompleteJetStream(config::v1::JetStream* jetstream);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_JETSTREAM_CONFIG_H_
