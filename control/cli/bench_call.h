// One end, or both, of a bench run whose ends are on one node: calls of its weir-control.
#ifndef WEIR_CONTROL_CLI_BENCH_CALL_H_
#define WEIR_CONTROL_CLI_BENCH_CALL_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <variant>

#include "control/cli/admin_client.h"
#include "control/cli/bench_request.h"
#include "control/cli/interrupt.h"
#include "measurement/v1/admin.pb.h"

namespace weir::cli {

// What a run ends with: a result (which may be an aborted one), or why there is none.
using BenchOutcome = std::variant<measurement::v1::TestResult, measurement::v1::Rejection,
                                  measurement::v1::TestFailure, Failure>;

class BenchCall {
 public:
  using OnProgress = std::function<void(const measurement::v1::TestProgress&)>;

  explicit BenchCall(AdminStub* admin) : admin_(admin) {}

  // Blocks until the run is over. Once. `on_progress` is called on this thread.
  BenchOutcome Run(BenchEnd end, const measurement::v1::BenchRequest& request,
                   const OnProgress& on_progress);
  // Any thread, before or while it runs.
  void Cancel() { call_.TryCancel(); }

 private:
  AdminStub* const admin_;
  grpc::ClientContext call_;
};

struct BenchPairOutcome {
  BenchOutcome sunk;
  BenchOutcome generated;
  // The end that did not complete, the first of them if neither did: why there is no result.
  // Null: both completed, or the sink waited to its end and nothing came.
  const BenchOutcome* failed() const {
    return failed_end == 0 ? nullptr : failed_end == 1 ? &sunk : &generated;
  }
  int failed_end = 0;  // 1: the sink, 2: the generator.
};

// Runs a sink and, once it listens, a generator; when one of them comes to nothing, or the person
// interrupts, the other is ended too. `on_progress` hears the generator, on another thread.
BenchPairOutcome RunBenchPair(AdminStub* admin, Interrupt* interrupt,
                              const measurement::v1::BenchRequest& sink,
                              const measurement::v1::BenchRequest& generator,
                              const BenchCall::OnProgress& on_progress);

// A completed result, or the failure that any other outcome is to who needs one.
std::variant<measurement::v1::TestResult, Failure> NeedResult(BenchOutcome outcome);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_BENCH_CALL_H_
