#include "control/cli/calibrate_command.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/cli/bench_call.h"
#include "control/cli/bench_request.h"
#include "control/cli/json.h"
#include "control/cli/private_pair.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

using measurement::v1::Calibration;
using measurement::v1::CalibrationPoint;
using measurement::v1::TestResult;
using record::v1::DirectionResult;

constexpr uint32_t kFrames[] = {64, 1518};
constexpr char kAddress[] = ",ip4=198.18.0.1/24,bench=on";  // RFC 2544's own network.

double PacketsPerSecond(const DirectionResult& result, uint32_t frame_bytes) {
  return result.achieved_ethernet_bps() / 8 / frame_bytes;
}

class Calibrator {
 public:
  Calibrator(Context* context, std::string duration)
      : context_(*context), duration_(std::move(duration)) {}

  std::optional<Failure> Measure(Calibration* calibration) {
    for (const uint32_t frame : kFrames) calibration->add_points()->set_frame_bytes(frame);
    if (auto failure = OnDevice("null:", calibration, &Calibrator::Generate)) return failure;
    return OnDevice("ring:", calibration, &Calibrator::Loop);
  }

  // The pair that measured last can keep what was measured.
  AdminStub* admin() { return admin_.get(); }
  std::string file() const { return file_; }
  void set_file(std::string file) { file_ = std::move(file); }

 private:
  using Step = std::optional<Failure> (Calibrator::*)(CalibrationPoint* point);

  std::optional<Failure> OnDevice(const std::string& device, Calibration* calibration, Step step) {
    pair_.reset();
    context_.terminal.ShowLine(absl::StrCat("starting a dataplane on ", device));
    auto started = PrivatePair::Start(device + kAddress, context_.interrupt,
                                      {.bench = true, .calibration_file = file_});
    if (auto* failure = std::get_if<Failure>(&started)) return *failure;
    pair_ = std::get<std::unique_ptr<PrivatePair>>(std::move(started));
    auto admin = ConnectAdmin(pair_->admin_socket());
    if (auto* failure = std::get_if<Failure>(&admin)) return *failure;
    admin_ = std::get<std::unique_ptr<AdminStub>>(std::move(admin));
    for (CalibrationPoint& point : *calibration->mutable_points()) {
      context_.terminal.ShowLine(
          absl::StrCat(device, " frames of ", point.frame_bytes(), " bytes"));
      if (auto failure = (this->*step)(&point)) return failure;
    }
    return std::nullopt;
  }

  std::variant<measurement::v1::BenchRequest, Failure> Request(BenchEnd end, uint32_t frame) const {
    BenchOptions options;
    options.key = "calibrate";
    options.frame = absl::StrCat(frame);
    options.rate = "max";
    if (end == BenchEnd::kGenerate) options.duration = duration_;
    const auto trials = MakeBenchTrials(options, end);
    if (!trials.ok()) return Failure{ExitCode::kUsage, std::string(trials.status().message())};
    return (*trials)[0].request;
  }

  std::optional<Failure> Generate(CalibrationPoint* point) {
    auto request = Request(BenchEnd::kGenerate, point->frame_bytes());
    if (auto* failure = std::get_if<Failure>(&request)) return *failure;
    BenchCall run(admin_.get());
    context_.interrupt.OnRequest([&run] { run.Cancel(); });
    const auto outcome =
        NeedResult(run.Run(BenchEnd::kGenerate, std::get<measurement::v1::BenchRequest>(request),
                           [](const auto& progress) { (void)progress; }));
    context_.interrupt.Clear();
    if (const auto* failure = std::get_if<Failure>(&outcome)) return *failure;
    point->set_generate_pps(
        PacketsPerSecond(std::get<TestResult>(outcome).results(0), point->frame_bytes()));
    return std::nullopt;
  }

  // One worker sends and receives: what it sinks by itself is what is left of its time.
  std::optional<Failure> Loop(CalibrationPoint* point) {
    auto sink = Request(BenchEnd::kSink, point->frame_bytes());
    if (auto* failure = std::get_if<Failure>(&sink)) return *failure;
    auto generator = Request(BenchEnd::kGenerate, point->frame_bytes());
    if (auto* failure = std::get_if<Failure>(&generator)) return *failure;
    BenchPairOutcome both = RunBenchPair(admin_.get(), &context_.interrupt,
                                         std::get<measurement::v1::BenchRequest>(sink),
                                         std::get<measurement::v1::BenchRequest>(generator),
                                         [](const auto& progress) { (void)progress; });
    const auto sunk = NeedResult(both.failed() != nullptr ? *both.failed() : both.sunk);
    if (const auto* failure = std::get_if<Failure>(&sunk)) return *failure;
    const DirectionResult& result = std::get<TestResult>(sunk).results(0);
    if (result.lost() != 0 || result.received() != result.sent()) {
      return Failure{ExitCode::kLocal,
                     absl::StrCat("the ring lost ", result.lost(), " of ", result.sent(),
                                  " packets: this host is too busy to be calibrated")};
    }
    point->set_loop_pps(PacketsPerSecond(result, point->frame_bytes()));
    const double sink_s = 1 / point->loop_pps() - 1 / point->generate_pps();
    point->set_sink_pps(sink_s > 0 ? 1 / sink_s : point->loop_pps());
    return std::nullopt;
  }

  Context& context_;
  const std::string duration_;
  std::string file_ = kDefaultCalibration;
  std::unique_ptr<PrivatePair> pair_;
  std::unique_ptr<AdminStub> admin_;
};

std::string Render(const Calibration& calibration, const Terminal& terminal) {
  std::string text = terminal.Paint(
      Style::kBold, absl::StrFormat("%-7s %14s %14s %14s\n", "FRAME", "GENERATE", "LOOP", "SINK"));
  for (const CalibrationPoint& point : calibration.points()) {
    absl::StrAppend(&text, absl::StrFormat("%-7u %14s %14s %14s\n", point.frame_bytes(),
                                           FormatPacketRate(point.generate_pps()),
                                           FormatPacketRate(point.loop_pps()),
                                           FormatPacketRate(point.sink_pps())));
  }
  return text + "one worker; LOOP: one that does both\n";
}

ExitCode Show(const Context& context) {
  auto admin = ConnectAdmin(context.admin);
  if (const auto* failure = std::get_if<Failure>(&admin)) return Report(context, *failure);
  grpc::ClientContext call;
  SetDeadline(&call, 10);
  measurement::v1::NodeInfo node;
  const grpc::Status status =
      std::get<std::unique_ptr<AdminStub>>(admin)->GetNode(&call, {}, &node);
  if (!status.ok()) return Report(context, ExplainStatus(status, "cannot ask this node"));
  if (!node.has_calibration()) {
    return Report(context,
                  {ExitCode::kLocal, "this node was not calibrated; run `weir calibrate`"});
  }
  const Calibration& calibration = node.calibration();
  if (context.json) {
    context.out << ToJson(calibration) << std::endl;
  } else {
    context.out << absl::StrFormat("%s, %s\n", calibration.cpu(), calibration.measured_at())
                << Render(calibration, context.terminal) << std::flush;
  }
  return ExitCode::kOk;
}

}  // namespace

ExitCode RunCalibrate(Context context, const CalibrateOptions& options) {
  if (options.show) return Show(context);
  const auto duration = ParseDurationNs(options.duration);
  if (!duration.ok()) {
    return Report(context,
                  {ExitCode::kUsage, absl::StrCat("--duration: ", duration.status().message())});
  }
  Calibrator calibrator(&context, options.duration);
  if (!options.output.empty()) {
    // The private pair's weir-control writes it, and it may run in another directory.
    std::error_code error;
    calibrator.set_file(std::filesystem::absolute(options.output, error).string());
  }
  Calibration calibration;
  std::optional<Failure> failure = calibrator.Measure(&calibration);
  context.terminal.ClearLine();
  if (context.interrupt.requested()) {
    return Report(context, {ExitCode::kAborted, "interrupted; nothing was kept"});
  }
  if (failure.has_value()) return Report(context, *failure);

  // The local node keeps it, so that its next result uses it; without one, where a node would look.
  auto local = options.output.empty()
                   ? ConnectAdmin(context.admin)
                   : std::variant<std::unique_ptr<AdminStub>, Failure>(Failure{});
  AdminStub* keeper = calibrator.admin();
  if (auto* stub = std::get_if<std::unique_ptr<AdminStub>>(&local)) keeper = stub->get();
  grpc::ClientContext call;
  SetDeadline(&call, 10);
  measurement::v1::SetCalibrationRequest request;
  *request.mutable_calibration() = calibration;
  measurement::v1::SetCalibrationReply reply;
  const grpc::Status status = keeper->SetCalibration(&call, request, &reply);
  if (context.json) {
    context.out << ToJson(calibration) << std::endl;
  } else {
    context.out << Render(calibration, context.terminal) << std::flush;
  }
  if (!status.ok()) {
    Failure kept = ExplainStatus(status, "it was measured, but not kept");
    kept.message += "; name a file with --output";
    return Report(context, kept);
  }
  if (!context.json) context.out << "kept in " << reply.file() << std::endl;
  return ExitCode::kOk;
}

}  // namespace weir::cli
