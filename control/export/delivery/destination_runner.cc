#include "control/export/delivery/destination_runner.h"

#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/export/delivery/backoff.h"
#include "control/failpoint.h"

namespace weir::control {
namespace {

namespace dv = delivery::v1;

constexpr uint32_t kBatch = 200;
constexpr std::chrono::milliseconds kIdle{1000};  // From one look for new records to the next.
constexpr std::chrono::seconds kCallDeadline{30};

void SetDeadline(grpc::ClientContext* call) {
  call->set_deadline(std::chrono::system_clock::now() + kCallDeadline);
}

}  // namespace

struct DestinationRunner::Waits {
  Backoff control;
  Backoff engine;
};

DestinationRunner::DestinationRunner(dv::Destination destination, std::unique_ptr<Engine> engine,
                                     dv::Export::StubInterface* control)
    : destination_(std::move(destination)),
      engine_(std::move(engine)),
      control_(control),
      waits_(std::make_unique<Waits>()),
      thread_([this] { Loop(); }) {}

DestinationRunner::~DestinationRunner() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

std::string DestinationRunner::misconfigured() const {
  const std::lock_guard lock(mutex_);
  return misconfigured_;
}

bool DestinationRunner::Wait(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, time, [this] { return stop_; });
  return !stop_;
}

void DestinationRunner::Loop() {
  while (Wait(std::chrono::milliseconds(0))) Step();
}

// Tells weir-control as well, whose status says it; whether that is reached is not our concern.
void DestinationRunner::Trouble(const std::string& what) {
  spdlog::warn("{}: {}", destination_.name(), what);
  dv::PullRequest request;
  *request.mutable_destination() = destination_;
  request.set_trouble(what);
  dv::PullReply reply;
  grpc::ClientContext call;
  SetDeadline(&call);
  control_->Pull(&call, request, &reply);
}

void DestinationRunner::Step() {
  if (!open_) {
    if (absl::Status status = engine_->Open(); !status.ok()) {
      Trouble(std::string(status.message()));
      Wait(waits_->engine.Next());
      return;
    }
    open_ = true;
  }
  if (!Recheck()) return;
  dv::PullRequest request;
  *request.mutable_destination() = destination_;
  request.set_limit(kBatch);
  request.set_follow_states(engine_->follows_states());
  dv::PullReply batch;
  grpc::ClientContext call;
  SetDeadline(&call);
  const grpc::Status pulled = control_->Pull(&call, request, &batch);
  if (pulled.error_code() == grpc::StatusCode::INVALID_ARGUMENT) {
    const std::lock_guard lock(mutex_);
    misconfigured_ = pulled.error_message();
  }
  if (!pulled.ok()) {
    spdlog::warn("{}: weir-control: {}", destination_.name(), pulled.error_message());
    Wait(waits_->control.Next());
    return;
  }
  waits_->control.Reset();
  if (batch.items().empty()) {
    Wait(kIdle);
    return;
  }
  Failpoint("export.pulled");
  const absl::StatusOr<std::vector<Outcome>> outcomes = engine_->Deliver(batch);
  if (!outcomes.ok()) {
    open_ = false;
    Trouble(std::string(outcomes.status().message()));
    Wait(waits_->engine.Next());
    return;
  }
  waits_->engine.Reset();
  Failpoint("export.delivered");
  if (!Settle(batch, *outcomes)) return;
  Failpoint("export.acknowledged");
  engine_->Settled();
}

bool DestinationRunner::Recheck() {
  const absl::StatusOr<std::vector<Copy>> lost = engine_->FindLost();
  if (!lost.ok()) {
    open_ = false;
    Trouble(std::string(lost.status().message()));
    Wait(waits_->engine.Next());
    return false;
  }
  if (lost->empty()) return true;
  spdlog::warn("{}: the destination lost {} of what it had acknowledged; it is delivered again",
               destination_.name(), lost->size());
  Failpoint("export.lost");
  dv::LoseRequest request;
  *request.mutable_destination() = destination_;
  for (const Copy& copy : *lost) {
    dv::Settled* settled = request.add_lost();
    settled->set_record_id(copy.record_id);
    settled->set_tombstone(copy.tombstone);
  }
  if (!Tell([&](grpc::ClientContext* call) {
        dv::LoseReply reply;
        return control_->Lose(call, request, &reply);
      })) {
    return false;
  }
  Failpoint("export.reopened");
  engine_->GivenAgain(*lost);
  return true;
}

template <typename Call>
bool DestinationRunner::Tell(const Call& call) {
  while (true) {
    grpc::ClientContext context;
    SetDeadline(&context);
    const grpc::Status status = call(&context);
    if (status.ok()) {
      waits_->control.Reset();
      return true;
    }
    spdlog::warn("{}: weir-control: {}", destination_.name(), status.error_message());
    if (!Wait(waits_->control.Next())) return false;
  }
}

bool DestinationRunner::Settle(const dv::PullReply& batch, const std::vector<Outcome>& outcomes) {
  dv::AcknowledgeRequest delivered;
  *delivered.mutable_destination() = destination_;
  std::vector<dv::RefuseRequest> refused;
  for (int i = 0; i < batch.items_size(); ++i) {
    const Outcome& outcome = outcomes[static_cast<size_t>(i)];
    dv::Settled settled;
    settled.set_record_id(batch.items(i).record_id());
    settled.set_version(outcome.version);
    settled.set_tombstone(batch.items(i).has_tombstone());
    if (!outcome.refused) {
      *delivered.add_settled() = std::move(settled);
      continue;
    }
    spdlog::error("{}: {} is a dead letter: {}", destination_.name(), batch.items(i).record_id(),
                  outcome.reason);
    dv::RefuseRequest& refusal = refused.emplace_back();
    *refusal.mutable_destination() = destination_;
    *refusal.mutable_settled() = std::move(settled);
    refusal.set_reason(outcome.reason);
  }
  if (!delivered.settled().empty() && !Tell([&](grpc::ClientContext* call) {
        dv::AcknowledgeReply reply;
        return control_->Acknowledge(call, delivered, &reply);
      })) {
    return false;
  }
  for (const dv::RefuseRequest& refusal : refused) {
    if (!Tell([&](grpc::ClientContext* call) {
          dv::RefuseReply reply;
          return control_->Refuse(call, refusal, &reply);
        })) {
      return false;
    }
  }
  return true;
}

}  // namespace weir::control
