// Answers a unary call from a thread that may wait.
#ifndef WEIR_CONTROL_API_ANSWER_LATER_H_
#define WEIR_CONTROL_API_ANSWER_LATER_H_

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <utility>

#include "control/api/grpc_status.h"
#include "control/session/work_queue.h"

namespace weir::control {

// `work` takes nothing and returns an absl::StatusOr<Reply>. ResourceExhausted, with `busy`: as
// much as fits waits there already.
template <typename Reply, typename Work>
grpc::ServerUnaryReactor* AnswerLater(grpc::CallbackServerContext* context, Reply* reply,
                                      WorkQueue* queue, const char* busy, Work work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const bool queued = queue->Submit([reactor, reply, work = std::move(work)] {
    absl::StatusOr<Reply> answer = work();
    if (answer.ok()) *reply = std::move(*answer);
    reactor->Finish(ToGrpc(answer.status()));
  });
  if (!queued) reactor->Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, busy));
  return reactor;
}

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_ANSWER_LATER_H_
