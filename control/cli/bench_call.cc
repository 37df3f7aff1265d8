#include "control/cli/bench_call.h"

#include <atomic>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"

namespace weir::cli {

namespace {

// A sink's end when nothing came (proto/README.md section 2.5): of a path, that is a result.
constexpr char kNoPackets[] = "no_packets";

}  // namespace

using measurement::v1::RunTestUpdate;
using measurement::v1::TestResult;

BenchOutcome BenchCall::Run(BenchEnd end, const measurement::v1::BenchRequest& request,
                            const OnProgress& on_progress) {
  const auto reader = end == BenchEnd::kGenerate ? admin_->Generate(&call_, request)
                                                 : admin_->Sink(&call_, request);
  std::optional<BenchOutcome> outcome;
  RunTestUpdate update;
  while (reader->Read(&update)) {
    switch (update.body_case()) {
      case RunTestUpdate::kProgress:
        on_progress(update.progress());
        break;
      case RunTestUpdate::kResult:
        outcome = update.result();
        break;
      case RunTestUpdate::kRejection:
        outcome = update.rejection();
        break;
      case RunTestUpdate::kFailure:
        outcome = update.failure();
        break;
      default:
        break;
    }
  }
  const grpc::Status status = reader->Finish();
  if (outcome.has_value()) return *std::move(outcome);
  if (status.error_code() == grpc::StatusCode::CANCELLED) {
    return Failure{ExitCode::kAborted, "interrupted"};
  }
  if (status.ok()) {
    return Failure{ExitCode::kInternal, "weir-control ended a run without a result"};
  }
  Failure failure = ExplainStatus(status, "a run broke off");
  // It was reached when the run began: its end is a failure on this side.
  if (failure.code == ExitCode::kUnreachable) failure.code = ExitCode::kLocal;
  return failure;
}

BenchPairOutcome RunBenchPair(AdminStub* admin, Interrupt* interrupt,
                              const measurement::v1::BenchRequest& sink,
                              const measurement::v1::BenchRequest& generator,
                              const BenchCall::OnProgress& on_progress) {
  const auto completed = [](const BenchOutcome& outcome) {
    const auto* result = std::get_if<TestResult>(&outcome);
    return result != nullptr && result->results_size() != 0 &&
           (result->outcome() == record::v1::COMPLETED || result->end_reason() == kNoPackets);
  };
  BenchCall sinking(admin), generating(admin);
  interrupt->OnRequest([&] {
    sinking.Cancel();
    generating.Cancel();
  });
  BenchPairOutcome both;
  std::atomic<int> failed{0};
  const auto fail = [&failed](int end) {
    int none = 0;
    failed.compare_exchange_strong(none, end);
  };
  std::thread thread;
  both.sunk =
      sinking.Run(BenchEnd::kSink, sink, [&](const measurement::v1::TestProgress& progress) {
        if (thread.joinable() || progress.state() != "waiting") return;
        thread = std::thread([&] {
          both.generated = generating.Run(BenchEnd::kGenerate, generator, on_progress);
          if (completed(both.generated)) return;
          fail(2);
          sinking.Cancel();
        });
      });
  if (!completed(both.sunk)) {
    fail(1);
    generating.Cancel();  // It would load the path for nothing.
  }
  if (thread.joinable()) thread.join();
  interrupt->Clear();
  both.failed_end = failed;
  return both;
}

std::variant<TestResult, Failure> NeedResult(BenchOutcome outcome) {
  if (auto* failure = std::get_if<Failure>(&outcome)) return std::move(*failure);
  if (const auto* failure = std::get_if<measurement::v1::TestFailure>(&outcome)) {
    return Failure{ExitCode::kLocal, failure->message()};
  }
  if (const auto* rejection = std::get_if<measurement::v1::Rejection>(&outcome)) {
    return Failure{ExitCode::kLocal, rejection->message()};
  }
  TestResult& result = std::get<TestResult>(outcome);
  if (result.outcome() != record::v1::COMPLETED || result.results_size() == 0) {
    return Failure{ExitCode::kLocal, absl::StrCat("a run ended early: ", result.end_reason())};
  }
  return std::move(result);
}

}  // namespace weir::cli
