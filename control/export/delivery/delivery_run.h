// Batches on their way to one destination, one behind the other: read, encode, deliver,
// acknowledge.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_DELIVERY_RUN_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_DELIVERY_RUN_H_

#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/status/status.h"
#include "control/export/delivery/control_link.h"
#include "control/export/delivery/engine.h"
#include "control/export/delivery/stop_signal.h"

namespace weir::control {

// At most so many batches of a destination are under way: one in each stage.
constexpr int kBatchesUnderWay = 4;

struct RunEnd {
  int pulled = 0, delivered = 0;             // Batches, the empty ones as well.
  bool nothing_left = false;                 // All that may go there was read.
  grpc::Status pull = grpc::Status::OK;      // Why no more could be read.
  absl::Status delivery = absl::OkStatus();  // Why a batch failed; none behind it was delivered.
};

// Reads what is not settled from the oldest on, and returns when each batch it read is
// acknowledged, one failed, or it is stopped. Ends by itself after a few thousand records, so that
// what comes back meanwhile (lost, tried again, let go by another policy) is not kept waiting. The
// engine is called by one thread at a time, in the order of the records' changes; only Encode runs
// beside itself and the others. Threads are TBB's, and the caller's. `disclosed`: the digest of the
// disclosure that was last delivered, "" if that is not known.
RunEnd RunDelivery(Engine* engine, ControlLink* control, const StopSignal& stop,
                   std::string* disclosed);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_DELIVERY_RUN_H_
