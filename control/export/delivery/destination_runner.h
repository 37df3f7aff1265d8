// One destination: read, encode, deliver, acknowledge, for as long as the process runs.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_DESTINATION_RUNNER_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_DESTINATION_RUNNER_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "config/v1/export.pb.h"
#include "control/export/delivery/engine.h"
#include "export/v1/export.grpc.pb.h"

namespace weir::control {

// A thread of its own, so that an engine that hangs keeps nobody else waiting. Batches go one
// after the other: an engine's order is that of the records' changes.
class DestinationRunner {
 public:
  DestinationRunner(delivery::v1::Destination destination, std::unique_ptr<Engine> engine,
                    delivery::v1::Export::StubInterface* control);
  // Ends with the batch it is at.
  ~DestinationRunner();

  // Not empty: weir-control's policy does not declare the destination, so it cannot go on.
  std::string misconfigured() const;

 private:
  void Loop();
  void Step();
  // What the destination lost comes again. False: that cannot be said now.
  bool Recheck();
  // False: stopped, and not acknowledged.
  bool Settle(const delivery::v1::PullReply& batch, const std::vector<Outcome>& outcomes);
  // Calls weir-control until it takes it. False: stopped before it did.
  template <typename Call>
  bool Tell(const Call& call);
  void Trouble(const std::string& what);
  bool Wait(std::chrono::milliseconds time);  // False: stopped.

  const delivery::v1::Destination destination_;
  const std::unique_ptr<Engine> engine_;
  delivery::v1::Export::StubInterface* const control_;
  struct Waits;
  const std::unique_ptr<Waits> waits_;
  bool open_ = false;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::string misconfigured_;
  std::thread thread_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_DESTINATION_RUNNER_H_
