// One destination, for as long as the process runs.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_DESTINATION_RUNNER_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_DESTINATION_RUNNER_H_

#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "control/export/delivery/backoff.h"
#include "control/export/delivery/control_link.h"
#include "control/export/delivery/engine.h"
#include "control/export/delivery/stop_signal.h"
#include "export/v1/export.grpc.pb.h"

namespace weir::control {

// A thread of its own, so that an engine that hangs keeps nobody else waiting. Opens the engine,
// has it look for what was lost, delivers (delivery_run.h), and waits when something failed.
class DestinationRunner {
 public:
  DestinationRunner(delivery::v1::Destination destination, std::unique_ptr<Engine> engine,
                    std::shared_ptr<grpc::Channel> control);
  // Ends when what is under way is delivered and acknowledged.
  ~DestinationRunner();

  // Reads nothing more: so that several can end at the same time.
  void Stop() { stop_.Stop(); }
  // Not empty: weir-control's policy does not declare the destination, so it cannot go on.
  std::string misconfigured() const;

 private:
  void Loop();
  void Step();
  // What the destination lost comes again. False: that cannot be said now.
  bool Recheck();
  void Deliver();
  void Fail(const absl::Status& status);

  StopSignal stop_;
  ControlLink control_;
  const std::unique_ptr<Engine> engine_;
  Backoff engine_backoff_;
  Backoff control_backoff_{std::chrono::milliseconds(100), kLongestControlWait};
  bool open_ = false;
  std::string disclosed_;

  mutable std::mutex mutex_;
  std::string misconfigured_;
  std::thread thread_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_DESTINATION_RUNNER_H_
