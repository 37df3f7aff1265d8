#include "control/export/delivery/control_link.h"

#include <spdlog/spdlog.h>

#include "control/export/delivery/backoff.h"

namespace weir::control {
namespace {

namespace dv = delivery::v1;

constexpr std::chrono::seconds kCallDeadline{30};

}  // namespace

// A channel without a call under way sees a second or more later that it is connected, and a call
// on one that is not fails at once.
void ControlLink::Begin(grpc::ClientContext* call) {
  const auto now = std::chrono::system_clock::now();
  channel_->WaitForConnected(now + kLongestControlWait);
  call->set_deadline(now + kCallDeadline);
}

grpc::Status ControlLink::Pull(uint32_t limit, int64_t after_change, bool follow_states,
                               dv::PullReply* reply) {
  dv::PullRequest request;
  *request.mutable_destination() = destination_;
  request.set_limit(limit);
  request.set_after_change(after_change);
  request.set_follow_states(follow_states);
  grpc::ClientContext call;
  Begin(&call);
  return control_->Pull(&call, request, reply);
}

void ControlLink::Say(const std::string& trouble) {
  dv::PullRequest request;
  *request.mutable_destination() = destination_;
  request.set_trouble(trouble);
  dv::PullReply reply;
  grpc::ClientContext call;
  Begin(&call);
  control_->Pull(&call, request, &reply);
}

bool ControlLink::Tell(const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  Backoff backoff(std::chrono::milliseconds(100), kLongestControlWait);
  while (true) {
    grpc::ClientContext context;
    Begin(&context);
    const grpc::Status status = call(&context);
    if (status.ok()) return true;
    spdlog::warn("{}: weir-control: {}", name(), status.error_message());
    if (!stop_->Wait(backoff.Next())) return false;
  }
}

bool ControlLink::Settle(const dv::PullReply& batch, const std::vector<Outcome>& outcomes) {
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
    spdlog::error("{}: {} is a dead letter: {}", name(), batch.items(i).record_id(),
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

bool ControlLink::Lose(const std::vector<Copy>& copies) {
  dv::LoseRequest request;
  *request.mutable_destination() = destination_;
  for (const Copy& copy : copies) {
    dv::Settled* settled = request.add_lost();
    settled->set_record_id(copy.record_id);
    settled->set_tombstone(copy.tombstone);
  }
  return Tell([&](grpc::ClientContext* call) {
    dv::LoseReply reply;
    return control_->Lose(call, request, &reply);
  });
}

}  // namespace weir::control
