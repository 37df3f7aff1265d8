#include "control/export/delivery/destination_runner.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <vector>

#include "control/export/delivery/delivery_run.h"
#include "control/failpoint.h"

namespace weir::control {
namespace {

constexpr std::chrono::milliseconds kIdle{1000};  // From one look for new records to the next.

}  // namespace

DestinationRunner::DestinationRunner(delivery::v1::Destination destination,
                                     std::unique_ptr<Engine> engine,
                                     std::shared_ptr<grpc::Channel> control)
    : control_(std::move(destination), std::move(control), &stop_),
      engine_(std::move(engine)),
      thread_([this] { Loop(); }) {}

DestinationRunner::~DestinationRunner() {
  stop_.Stop();
  thread_.join();
}

std::string DestinationRunner::misconfigured() const {
  const std::lock_guard lock(mutex_);
  return misconfigured_;
}

void DestinationRunner::Loop() {
  while (!stop_.stopped()) Step();
}

void DestinationRunner::Fail(const absl::Status& status) {
  open_ = false;
  disclosed_.clear();
  const std::string trouble(status.message());
  spdlog::warn("{}: {}", control_.name(), trouble);
  control_.Say(trouble);
  stop_.Wait(engine_backoff_.Next());
}

void DestinationRunner::Step() {
  if (!open_) {
    if (absl::Status status = engine_->Open(); !status.ok()) return Fail(status);
    open_ = true;
  }
  if (Recheck()) Deliver();
}

bool DestinationRunner::Recheck() {
  const absl::StatusOr<std::vector<Copy>> lost = engine_->FindLost();
  if (!lost.ok()) {
    Fail(lost.status());
    return false;
  }
  if (lost->empty()) return true;
  spdlog::warn("{}: the destination lost {} of what it had acknowledged; it is delivered again",
               control_.name(), lost->size());
  Failpoint("export.lost");
  if (!control_.Lose(*lost)) return false;
  Failpoint("export.reopened");
  engine_->GivenAgain(*lost);
  return true;
}

void DestinationRunner::Deliver() {
  const RunEnd end = RunDelivery(engine_.get(), &control_, stop_, &disclosed_);
  if (end.pulled > 0) control_backoff_.Reset();
  if (end.delivered > 0) engine_backoff_.Reset();
  if (!end.delivery.ok()) return Fail(end.delivery);
  if (!end.pull.ok()) {
    if (end.pull.error_code() == grpc::StatusCode::INVALID_ARGUMENT) {
      const std::lock_guard lock(mutex_);
      misconfigured_ = end.pull.error_message();
    }
    spdlog::warn("{}: weir-control: {}", control_.name(), end.pull.error_message());
    stop_.Wait(control_backoff_.Next());
  } else if (end.nothing_left) {
    stop_.Wait(kIdle);
  }
}

}  // namespace weir::control
