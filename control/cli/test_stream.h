// What the commands that follow a test's stream have in common.
#ifndef WEIR_CONTROL_CLI_TEST_STREAM_H_
#define WEIR_CONTROL_CLI_TEST_STREAM_H_

#include <grpcpp/grpcpp.h>

#include "control/cli/command.h"
#include "measurement/v1/admin.pb.h"

namespace weir::cli {

// Cancels a call when the person interrupts, for as long as it lives.
class CancelOnInterrupt {
 public:
  CancelOnInterrupt(Interrupt* interrupt, grpc::ClientContext* call) : interrupt_(interrupt) {
    interrupt_->OnRequest([call] { call->TryCancel(); });
  }
  ~CancelOnInterrupt() { interrupt_->Clear(); }
  CancelOnInterrupt(const CancelOnInterrupt&) = delete;
  CancelOnInterrupt& operator=(const CancelOnInterrupt&) = delete;

 private:
  Interrupt* const interrupt_;
};

// The last update of a test that did not come to be, shown; and the exit code it means.
ExitCode ShowRejection(Context& context, const measurement::v1::Rejection& rejection);
ExitCode ShowFailure(Context& context, const measurement::v1::TestFailure& failure);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_TEST_STREAM_H_
