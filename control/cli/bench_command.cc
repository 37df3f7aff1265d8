#include "control/cli/bench_command.h"

#include <poll.h>

#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/cli/json.h"
#include "control/cli/partial_result.h"
#include "control/cli/render_bench.h"
#include "control/cli/render_result.h"
#include "control/cli/test_stream.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

using measurement::v1::RunTestUpdate;

// One trial: a call whose updates are shown as they come.
class TrialRun {
 public:
  TrialRun(Context* context, AdminStub* admin, BenchEnd end, const BenchTrial& trial)
      : context_(*context), admin_(admin), end_(end), trial_(trial) {}

  // The result, or the exit code of why there is none.
  std::variant<measurement::v1::TestResult, ExitCode> Run() {
    grpc::ClientContext call;
    const CancelOnInterrupt guard(&context_.interrupt, &call);
    const auto reader = end_ == BenchEnd::kGenerate ? admin_->Generate(&call, trial_.request)
                                                    : admin_->Sink(&call, trial_.request);
    RunTestUpdate update;
    while (reader->Read(&update)) Handle(update);
    const grpc::Status status = reader->Finish();
    context_.terminal.ClearLine();
    if (result_.has_value()) return *std::move(result_);
    if (code_.has_value()) return *code_;
    if (context_.interrupt.requested() && partial_.granted()) {
      return partial_.Finish(admin_, "interrupted");
    }
    if (context_.interrupt.requested()) {
      return Report(context_, {ExitCode::kAborted, "interrupted; nothing was measured"});
    }
    if (status.ok()) {
      return Report(context_, {ExitCode::kInternal, "weir-control ended the run without a result"});
    }
    Failure failure = ExplainStatus(status, "the run broke off");
    // It was reached when the run began: its end is a failure on this side.
    if (failure.code == ExitCode::kUnreachable) failure.code = ExitCode::kLocal;
    return Report(context_, failure);
  }

 private:
  record::v1::Ends ends() const {
    return end_ == BenchEnd::kGenerate ? record::v1::ENDS_SENDER : record::v1::ENDS_RECEIVER;
  }

  void Handle(const RunTestUpdate& update) {
    switch (update.body_case()) {
      case RunTestUpdate::kGrant:
        partial_.SetGrant(update.grant());
        if (!context_.json) ShowGrant(update.grant());
        break;
      case RunTestUpdate::kProgress:
        partial_.Add(update.progress());
        ShowProgress(update.progress());
        break;
      case RunTestUpdate::kResult:
        result_ = update.result();
        break;
      case RunTestUpdate::kRejection:
        code_ = ShowRejection(context_, update.rejection());
        break;
      case RunTestUpdate::kFailure:
        code_ = ShowFailure(context_, update.failure());
        break;
      default:
        break;
    }
  }

  void ShowGrant(const measurement::v1::Grant& grant) {
    const record::v1::TestParameters& parameters = grant.directions(0).parameters();
    std::string what = absl::StrCat("payload ", FormatPayload(parameters));
    if (trial_.frame_bytes != 0) what = absl::StrCat("frames of ", trial_.frame_bytes, " bytes");
    if (end_ == BenchEnd::kGenerate) {
      absl::StrAppend(
          &what, ", ",
          parameters.rate_max() ? std::string("the maximum rate")
                                : FormatRate(static_cast<double>(parameters.rate_bps())),
          parameters.packets() != 0
              ? absl::StrCat(", ", FormatCount(parameters.packets()), " packets")
              : absl::StrCat(" for ",
                             FormatDurationNs(static_cast<double>(parameters.duration_ns()))));
    }
    context_.out << absl::StrFormat("%-10s %s, admitted by rule \"%s\"\n%-10s %s, %d %s, IPv%d\n\n",
                                    "session", grant.session_id(), grant.admission_rule(),
                                    end_ == BenchEnd::kGenerate ? "generate" : "sink", what,
                                    parameters.streams(),
                                    parameters.streams() == 1 ? "stream" : "streams",
                                    parameters.ip_version())
                 << std::flush;
  }

  // Second by second on a terminal; elsewhere with the result.
  void ShowProgress(const measurement::v1::TestProgress& progress) {
    if (!context_.terminal.live()) return;
    context_.terminal.ClearLine();
    if (!context_.json && progress.intervals_size() != 0 &&
        progress.intervals(0).index() >= rows_) {
      if (rows_ == 0) context_.out << RenderBenchHead(ends(), context_.terminal);
      rows_ = progress.intervals(0).index() + 1;
      context_.out << RenderBenchRow(ends(), progress.intervals(0)) << std::flush;
    }
    context_.terminal.ShowLine(
        progress.state() == "waiting"
            ? "listening; start the generator"
            : RenderProgress(progress, trial_.request.parameters().duration_ns()));
  }

  Context& context_;
  AdminStub* const admin_;
  const BenchEnd end_;
  const BenchTrial& trial_;
  PartialResult partial_;
  uint32_t rows_ = 0;
  std::optional<measurement::v1::TestResult> result_;
  std::optional<ExitCode> code_;
};

void ShowTrial(const Context& context, const measurement::v1::TestResult& trial) {
  for (const record::v1::DirectionResult& direction : trial.results()) {
    record::v1::DirectionResult shown = direction;
    if (context.terminal.live()) shown.clear_intervals();  // They were shown as they came.
    context.out << (context.terminal.live() ? "\n" : "")
                << RenderDirection(shown, context.terminal);
  }
  context.out << absl::StrFormat("\n%-10s %s (%s)\n", "outcome",
                                 trial.outcome() == record::v1::COMPLETED
                                     ? context.terminal.Paint(Style::kGreen, "completed")
                                     : context.terminal.Paint(Style::kRed, "aborted"),
                                 trial.end_reason());
  for (const std::string& id : trial.record_ids()) {
    context.out << absl::StrFormat("%-10s %s\n", "record", id);
  }
  context.out << std::endl;
}

}  // namespace

ExitCode RunBench(Context context, const BenchOptions& options, BenchEnd end) {
  const auto trials = MakeBenchTrials(options, end);
  if (!trials.ok()) {
    return Report(context, {ExitCode::kUsage, std::string(trials.status().message())});
  }
  const auto pause = ParseDurationNs(options.pause);
  if (!pause.ok()) {
    return Report(context, {ExitCode::kUsage, absl::StrCat("--pause: ", pause.status().message())});
  }
  auto admin = ConnectAdmin(context.admin);
  if (auto* failure = std::get_if<Failure>(&admin)) return Report(context, *failure);
  AdminStub* stub = std::get<std::unique_ptr<AdminStub>>(admin).get();

  measurement::v1::BenchReport report;
  ExitCode code = ExitCode::kOk;
  for (const BenchTrial& trial : *trials) {
    // The sink has to end its trial and begin the next one.
    if (end == BenchEnd::kGenerate && report.trials_size() != 0) {
      pollfd interrupted = {context.interrupt.fd(), POLLIN, 0};
      poll(&interrupted, 1, static_cast<int>(*pause / 1'000'000));
    }
    if (context.interrupt.requested()) {
      code = ExitCode::kAborted;
      break;
    }
    auto outcome = TrialRun(&context, stub, end, trial).Run();
    if (const auto* failed = std::get_if<ExitCode>(&outcome)) {
      if (report.trials_size() == 0) return *failed;
      code = *failed;
      break;
    }
    const auto& result = std::get<measurement::v1::TestResult>(outcome);
    *report.add_trials() = result;
    if (!context.json) ShowTrial(context, result);
    if (result.outcome() != record::v1::COMPLETED) {
      code = ExitCode::kAborted;
      break;
    }
  }
  if (context.json) {
    context.out << ToJson(report) << std::endl;
  } else if (report.trials_size() > 1) {
    context.out << RenderBenchSummary(*trials, report, context.terminal) << std::flush;
  }
  return code;
}

}  // namespace weir::cli
