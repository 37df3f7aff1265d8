#include "control/cli/rfc2544/rfc2544_command.h"

#include <poll.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/cli/html/page.h"
#include "control/cli/json.h"
#include "control/cli/rfc2544/html_report.h"
#include "control/cli/rfc2544/procedure.h"
#include "control/cli/rfc2544/render.h"
#include "control/cli/rfc2544/state_file.h"
#include "control/cli/rfc2544/trial_runner.h"
#include "control/cli/test_stream.h"
#include "control/cli/units.h"

namespace weir::cli::rfc2544 {
namespace {

using measurement::v1::NodeInfo;
using measurement::v1::NodePort;
using measurement::v1::Rfc2544Report;

std::string UtcTime(const char* format) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof(text), format, &parts));
}

Failure Usage(const absl::Status& status) {
  return {ExitCode::kUsage, std::string(status.message())};
}

Failure BadFlag(const char* flag, const std::string& what) {
  return {ExitCode::kUsage, absl::StrCat(flag, ": ", what)};
}

// A port of the node that may be used as an end.
std::variant<NodePort, Failure> FindPort(const NodeInfo& node, const char* flag,
                                         const std::string& name, uint32_t ip_version) {
  std::string known;
  for (const NodePort& port : node.ports()) {
    absl::StrAppend(&known, known.empty() ? "" : ", ", port.name());
    if (port.name() != name) continue;
    if ((ip_version == 6 ? port.ip6() : port.ip4()).empty()) {
      return BadFlag(flag, absl::StrCat("port \"", name, "\" has no IPv", ip_version,
                                        " address; give it one with ip", ip_version,
                                        "= in weir-dataplane's --port"));
    }
    return port;
  }
  return BadFlag(flag, absl::StrCat("the local dataplane has no port named \"", name,
                                    "\"; it has: ", known.empty() ? "none" : known));
}

// One run, begun anew or continued.
class Rfc2544Run {
 public:
  Rfc2544Run(Context* context, const Options& options) : context_(*context), options_(options) {}

  ExitCode Run() {
    if (auto failure = Prepare()) return Report(context_, *failure);
    procedure_.emplace(report_.parameters());
    if (absl::Status status = Replay(state_, report_, &*procedure_); !status.ok()) {
      return Report(context_, Usage(status));
    }
    if (absl::Status status = Save(); !status.ok()) {
      return Report(context_, {ExitCode::kLocal, std::string(status.message())});
    }
    if (!context_.json) {
      context_.out << RenderPlan(report_, procedure_->Remaining(), state_) << std::endl;
    }
    const ExitCode code = RunTrials();
    context_.terminal.ClearLine();
    if (context_.json) {
      // A run that came to nothing has said why in its own object.
      if (code == ExitCode::kOk || report_.trials_size() != 0) {
        context_.out << ToJson(report_) << std::endl;
      }
    } else if (report_.trials_size() != 0) {
      context_.out << RenderReport(report_, context_.terminal) << std::flush;
    }
    return code;
  }

 private:
  std::optional<Failure> Prepare() {
    if (options_.resume.empty()) {
      auto parameters = MakeParameters(options_, nullptr);
      if (!parameters.ok()) return Usage(parameters.status());
      state_ = options_.state.empty() ? UtcTime("weir-rfc2544-%Y%m%d-%H%M%S.json") : options_.state;
      std::error_code error;
      if (std::filesystem::exists(state_, error)) {
        return BadFlag("--state", absl::StrCat(state_, " exists; continue it with --resume ",
                                               state_, ", or name another file"));
      }
      report_.set_format(kReportFormat);
      report_.set_software("weir " WEIR_VERSION);
      report_.set_started_at(UtcTime("%Y-%m-%dT%H:%M:%SZ"));
      *report_.mutable_parameters() = *std::move(parameters);
    } else {
      if (!options_.state.empty()) {
        return BadFlag("--state", "--resume names the file already; leave one of them out");
      }
      state_ = options_.resume;
      auto loaded = LoadState(state_);
      if (!loaded.ok()) return Usage(loaded.status());
      report_ = *std::move(loaded);
      const auto asked = MakeParameters(options_, &report_.parameters());
      if (!asked.ok()) return Usage(asked.status());
      if (absl::Status status = CheckSame(report_.parameters(), *asked); !status.ok()) {
        return Usage(status);
      }
    }
    return MeetNode();
  }

  std::optional<Failure> MeetNode() {
    auto admin = ConnectAdmin(context_.admin);
    if (auto* failure = std::get_if<Failure>(&admin)) return *failure;
    admin_ = std::get<std::unique_ptr<AdminStub>>(std::move(admin));
    grpc::ClientContext call;
    SetDeadline(&call, 10);
    NodeInfo node;
    if (const grpc::Status status = admin_->GetNode(&call, {}, &node); !status.ok()) {
      return ExplainStatus(status, "cannot ask this node");
    }
    if (!node.dataplane_connected()) {
      return Failure{ExitCode::kLocal, "the local dataplane is not connected; is it running?"};
    }
    const uint32_t ip_version = report_.parameters().ip_version();
    auto out = FindPort(node, "--out", report_.parameters().out_port(), ip_version);
    if (auto* failure = std::get_if<Failure>(&out)) return *failure;
    auto in = FindPort(node, "--in", report_.parameters().in_port(), ip_version);
    if (auto* failure = std::get_if<Failure>(&in)) return *failure;
    bench_.out = std::get<NodePort>(out);
    bench_.in = std::get<NodePort>(in);
    bench_.key =
        absl::StrCat("rfc2544-", std::chrono::system_clock::now().time_since_epoch().count());
    if (auto failure = CheckLine()) return failure;
    if (auto failure = CheckFramesFit()) return failure;
    if (!options_.resume.empty()) return CheckSameBench();
    report_.set_node(node.server().node());
    report_.set_out_device(bench_.out.device());
    report_.set_in_device(bench_.in.device());
    for (const std::string& note : Notes(report_.parameters())) report_.add_notes(note);
    return std::nullopt;
  }

  // The line rate of the path: that of its slower port, or what the person says.
  std::optional<Failure> CheckLine() {
    const uint64_t out = bench_.out.link_bps(), in = bench_.in.link_bps();
    const uint64_t slower = out == 0 ? in : in == 0 ? out : std::min(out, in);
    Rfc2544Parameters& parameters = *report_.mutable_parameters();
    if (parameters.line_bps() == 0) {
      if (out == 0 || in == 0) {
        const NodePort& unknown = out == 0 ? bench_.out : bench_.in;
        return BadFlag(
            "--line-rate",
            absl::StrCat("required: the speed of port \"", unknown.name(), "\" (", unknown.device(),
                         ") is not known; say what the line carries, "
                         "preamble and gap included, like --line-rate 10G"));
      }
      parameters.set_line_bps(static_cast<double>(slower));
    }
    if (slower != 0 && parameters.line_bps() > static_cast<double>(slower)) {
      const NodePort& slow = out == slower ? bench_.out : bench_.in;
      return BadFlag(
          "--line-rate",
          absl::StrCat(FormatRate(parameters.line_bps()), " is more than port \"", slow.name(),
                       "\" has, ", FormatRate(static_cast<double>(slower)), "; ask for less"));
    }
    return std::nullopt;
  }

  std::optional<Failure> CheckFramesFit() {
    const bool tagged = bench_.out.vlan() != 0;
    const uint32_t least = LeastFrame(report_.parameters().ip_version(), tagged);
    const uint32_t mtu = std::min(bench_.out.mtu(), bench_.in.mtu());
    const uint32_t most = mtu + 18 + (tagged ? 4 : 0);
    for (const uint32_t bytes : report_.parameters().frame_bytes()) {
      if (bytes >= least && (mtu == 0 || bytes <= most)) continue;
      return BadFlag("--frame", absl::StrCat(bytes, " does not fit the ports; allowed: ", least,
                                             " to ", most, " bytes with FCS (MTU ", mtu, ")"));
    }
    return std::nullopt;
  }

  std::optional<Failure> CheckSameBench() {
    for (const auto& [flag, then, now] :
         {std::tuple("--out", report_.out_device(), bench_.out.device()),
          std::tuple("--in", report_.in_device(), bench_.in.device())}) {
      if (then == now) continue;
      return BadFlag(flag, absl::StrCat("the port was ", then, " when the file was begun, and is ",
                                        now, " now: begin anew without --resume"));
    }
    return std::nullopt;
  }

  // The state, and the page if one is wanted: both are always of the last trial.
  absl::Status Save() {
    // Looking for the next trial is what ends the last search.
    report_.set_complete(!procedure_->Next().has_value());
    report_.clear_results();
    for (const Rfc2544FrameResult& result : procedure_->Results()) *report_.add_results() = result;
    if (absl::Status status = SaveState(state_, report_); !status.ok()) return status;
    if (options_.html.empty()) return absl::OkStatus();
    return WritePage("--html", options_.html, RenderHtml(report_));
  }

  ExitCode RunTrials() {
    TrialRunner runner(admin_.get(), &context_.interrupt, report_.parameters(), bench_);
    bool first = true;
    while (const std::optional<Rfc2544Trial> plan = procedure_->Next()) {
      if (!first) Settle();
      first = false;
      if (context_.interrupt.requested()) return Stopped({ExitCode::kAborted, "interrupted"});
      auto outcome =
          runner.Run(*plan, [&](uint64_t elapsed_ns) { ShowProgress(*plan, elapsed_ns); });
      context_.terminal.ClearLine();
      if (context_.interrupt.requested()) return Stopped({ExitCode::kAborted, "interrupted"});
      if (auto* ended = std::get_if<BenchOutcome>(&outcome)) return ShowOutcome(*plan, *ended);
      const Rfc2544Trial& trial = std::get<Rfc2544Trial>(outcome);
      if (trial.phase() == Rfc2544Trial::LEARNING_PHASE && trial.received() == 0) {
        return Stopped({ExitCode::kAborted,
                        absl::StrCat("none of the ", FormatCount(trial.sent()),
                                     " frames of the learning phase came through: is the DUT "
                                     "forwarding from port \"",
                                     bench_.out.name(), "\" to port \"", bench_.in.name(), "\"?")});
      }
      if (absl::Status status = procedure_->Take(trial); !status.ok()) {
        return Stopped({ExitCode::kInternal, std::string(status.message())});
      }
      *report_.add_trials() = trial;
      if (context_.terminal.live() && !context_.json) {
        context_.out << RenderTrial(trial, context_.terminal) << std::flush;
      }
      if (absl::Status status = Save(); !status.ok()) {
        return Stopped({ExitCode::kLocal, std::string(status.message())});
      }
    }
    return ExitCode::kOk;
  }

  // Lets the DUT come to rest (RFC 2544 section 23), unless the person interrupts.
  void Settle() {
    const auto milliseconds = static_cast<int>(report_.parameters().settle_ns() / 1'000'000);
    if (milliseconds == 0) return;
    context_.terminal.ShowLine("letting the DUT settle");
    pollfd interrupted = {context_.interrupt.fd(), POLLIN, 0};
    poll(&interrupted, 1, milliseconds);
    context_.terminal.ClearLine();
  }

  void ShowProgress(const Rfc2544Trial& plan, uint64_t elapsed_ns) {
    if (!context_.terminal.live()) return;
    const Estimate left = procedure_->Remaining();
    context_.terminal.ShowLine(absl::StrFormat(
        "trial %u (at most %u left, %s) | %u B %s %s | %s of %s", plan.number(), left.trials,
        FormatLongTime(left.ns), plan.frame_bytes(), PhaseName(plan.phase()),
        plan.burst_frames() != 0 ? FormatCount(plan.burst_frames()) + " frames"
                                 : FormatShare(plan.load()),
        FormatLongTime(elapsed_ns), FormatLongTime(plan.duration_ns())));
  }

  // A trial that came to nothing.
  ExitCode ShowOutcome(const Rfc2544Trial& plan, const BenchOutcome& ended) {
    const std::string which = absl::StrCat("trial ", plan.number(), ": ");
    if (const auto* rejection = std::get_if<measurement::v1::Rejection>(&ended)) {
      const ExitCode code = ShowRejection(context_, *rejection);
      return Stopped({code, which + "refused"});
    }
    if (const auto* failure = std::get_if<measurement::v1::TestFailure>(&ended)) {
      const ExitCode code = ShowFailure(context_, *failure);
      return Stopped({code, which + "not run"});
    }
    if (const auto* failure = std::get_if<Failure>(&ended)) {
      return Stopped({failure->code, which + failure->message});
    }
    return Stopped({ExitCode::kAborted,
                    absl::StrCat(which, "ended early: ",
                                 std::get<measurement::v1::TestResult>(ended).end_reason())});
  }

  ExitCode Stopped(Failure failure) {
    context_.terminal.ClearLine();
    absl::StrAppend(&failure.message, "; ", report_.trials_size(),
                    report_.trials_size() == 1 ? " trial is" : " trials are",
                    " kept, continue with ", "`weir rfc2544 --resume ", state_, "`");
    return Report(context_, failure);
  }

  Context& context_;
  const Options& options_;
  std::string state_;
  Rfc2544Report report_;
  Bench bench_;
  std::unique_ptr<AdminStub> admin_;
  std::optional<Procedure> procedure_;
};

}  // namespace

ExitCode RunRfc2544(Context context, const Options& options) {
  return Rfc2544Run(&context, options).Run();
}

}  // namespace weir::cli::rfc2544
