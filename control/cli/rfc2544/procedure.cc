#include "control/cli/rfc2544/procedure.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace weir::cli::rfc2544 {
namespace {

using measurement::v1::Rfc2544BackToBack;
using measurement::v1::Rfc2544Latency;
using measurement::v1::Rfc2544LossPoint;
using measurement::v1::Rfc2544Throughput;

// Of the line rate: bridges learn, caches fill, clocks rise.
constexpr double kRampUpLoads[] = {0.25, 0.5, 0.75};
// Enough to be seen by whatever must learn, and no load on anything.
constexpr double kLearningShare = 0.01;
constexpr double kMostLearningFps = 1000;
constexpr double kLeastLearningFps = 10;
// From the request to the first frame, and from the last one to the result.
constexpr uint64_t kTrialOverheadNs = 500'000'000;

bool SameLoad(double a, double b) { return std::abs(a - b) < 1e-9; }

double MeanOf(const std::vector<Rfc2544Trial>& trials, double (*value)(const Rfc2544Trial&)) {
  double sum = 0;
  for (const Rfc2544Trial& trial : trials) sum += value(trial);
  return sum / static_cast<double>(trials.size());
}

absl::Status Contradiction(const Rfc2544Trial& trial, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("trial ", trial.number(), ": ", what));
}

// What was asked of `trial` is what `plan` asks.
absl::Status Match(const Rfc2544Trial& plan, const Rfc2544Trial& trial) {
  const auto other = [&](const char* field, auto is, auto expected) {
    return Contradiction(plan, absl::StrCat(field, " is ", is, ", but ", expected,
                                            " follows from the trials before"));
  };
  if (trial.number() != plan.number()) return other("number", trial.number(), plan.number());
  if (trial.phase() != plan.phase()) {
    return other("phase", Rfc2544Trial::Phase_Name(trial.phase()),
                 Rfc2544Trial::Phase_Name(plan.phase()));
  }
  if (trial.frame_bytes() != plan.frame_bytes()) {
    return other("frame_bytes", trial.frame_bytes(), plan.frame_bytes());
  }
  if (trial.repetition() != plan.repetition()) {
    return other("repetition", trial.repetition(), plan.repetition());
  }
  if (!SameLoad(trial.load(), plan.load())) return other("load", trial.load(), plan.load());
  if (trial.burst_frames() != plan.burst_frames()) {
    return other("burst_frames", trial.burst_frames(), plan.burst_frames());
  }
  if (trial.duration_ns() != plan.duration_ns()) {
    return other("duration_ns", trial.duration_ns(), plan.duration_ns());
  }
  return absl::OkStatus();
}

absl::Status CheckCounts(const Rfc2544Trial& trial) {
  if (trial.received() > trial.sent() || trial.lost() != trial.sent() - trial.received()) {
    return Contradiction(trial, absl::StrCat("lost is ", trial.lost(), ", but ", trial.sent(),
                                             " were sent and ", trial.received(), " received"));
  }
  if (!(trial.offered_fps() >= 0) || !std::isfinite(trial.offered_fps())) {
    return Contradiction(trial, "offered_fps is not a rate");
  }
  return absl::OkStatus();
}

}  // namespace

Procedure::Procedure(const Rfc2544Parameters& parameters) : parameters_(parameters) {
  BeginStage(Stage::kLearning);
}

bool Procedure::Tests(measurement::v1::Rfc2544Test test) const {
  return std::find(parameters_.tests().begin(), parameters_.tests().end(), test) !=
         parameters_.tests().end();
}

uint64_t Procedure::LongestBurst(uint32_t frame_bytes) const {
  const double frames = LineFps(parameters_.line_bps(), frame_bytes) *
                        static_cast<double>(parameters_.longest_burst_ns()) / 1e9;
  return std::max<uint64_t>(parameters_.streams(), static_cast<uint64_t>(frames));
}

std::optional<Rfc2544Trial> Procedure::Next() {
  while (!next_.has_value() && frame_ < static_cast<size_t>(parameters_.frame_bytes_size())) {
    next_ = NextOfStage();
    if (!next_.has_value()) EndStage();
  }
  return next_;
}

Rfc2544Trial Procedure::Plan(Rfc2544Trial::Phase phase, double load, uint64_t duration_ns) const {
  Rfc2544Trial trial;
  trial.set_number(taken_ + 1);
  trial.set_phase(phase);
  trial.set_frame_bytes(frame_bytes());
  trial.set_repetition(repetition_);
  trial.set_load(load);
  trial.set_intended_fps(load * LineFps(parameters_.line_bps(), frame_bytes()));
  trial.set_duration_ns(duration_ns);
  return trial;
}

void Procedure::BeginStage(Stage stage) {
  stage_ = stage;
  in_stage_ = 0;
  repetition_ = 1;
  again_ = false;
  throughput_.reset();
  loss_.reset();
  burst_.reset();
  if (stage != Stage::kLearning || frame_ >= static_cast<size_t>(parameters_.frame_bytes_size())) {
    return;
  }
  latency_.clear();
  Rfc2544FrameResult& begun = results_.emplace_back();
  begun.set_frame_bytes(frame_bytes());
  begun.set_line_fps(LineFps(parameters_.line_bps(), frame_bytes()));
  begun.set_frame_time_ns(frame_bytes() * 8e9 / parameters_.line_bps());
}

void Procedure::EndStage() {
  if (stage_ != Stage::kBackToBack) {
    BeginStage(static_cast<Stage>(static_cast<int>(stage_) + 1));
    return;
  }
  ++frame_;
  BeginStage(Stage::kLearning);
}

void Procedure::Note(const std::string& text) {
  const auto& notes = result().notes();
  if (std::find(notes.begin(), notes.end(), text) == notes.end()) result().add_notes(text);
}

std::optional<Rfc2544Trial> Procedure::NextOfStage() {
  switch (stage_) {
    case Stage::kLearning: {
      if (parameters_.learning_ns() == 0 || in_stage_ != 0) return std::nullopt;
      const double line = LineFps(parameters_.line_bps(), frame_bytes());
      const double fps = std::clamp(kLearningShare * line, kLeastLearningFps, kMostLearningFps);
      return Plan(Rfc2544Trial::LEARNING_PHASE, std::min(1.0, fps / line),
                  parameters_.learning_ns());
    }
    case Stage::kRampUp:
      if (parameters_.ramp_up_ns() == 0 || in_stage_ == std::size(kRampUpLoads)) {
        return std::nullopt;
      }
      return Plan(Rfc2544Trial::RAMP_UP_PHASE, kRampUpLoads[in_stage_], parameters_.ramp_up_ns());
    case Stage::kThroughput:
      return NextThroughput();
    case Stage::kLatency:
      return NextLatency();
    case Stage::kFrameLoss:
      return NextFrameLoss();
    case Stage::kBackToBack:
      return NextBackToBack();
  }
  return std::nullopt;
}

std::optional<Rfc2544Trial> Procedure::NextThroughput() {
  if (!Tests(measurement::v1::THROUGHPUT)) return std::nullopt;
  while (repetition_ <= parameters_.repeat()) {
    if (!throughput_.has_value()) {
      throughput_.emplace(parameters_.resolution());
      result().add_throughput();
    }
    if (const std::optional<double> load = throughput_->Next()) {
      return Plan(Rfc2544Trial::THROUGHPUT_PHASE, *load, parameters_.trial_ns());
    }
    EndSearch();
    throughput_.reset();
    ++repetition_;
  }
  return std::nullopt;
}

// The figure of a frame size is the lowest of its repetitions: what always passed.
void Procedure::EndSearch() {
  const auto& all = result().throughput();
  const auto lowest = std::min_element(
      all.begin(), all.end(), [](const auto& a, const auto& b) { return a.load() < b.load(); });
  result().set_throughput_fps(lowest->fps());
  result().set_throughput_load(lowest->load());
}

std::optional<Rfc2544Trial> Procedure::NextLatency() {
  if (!Tests(measurement::v1::LATENCY)) return std::nullopt;
  if (result().throughput_load() == 0) {
    Note("no latency: no load passed the throughput test");
    return std::nullopt;
  }
  if (latency_.size() == parameters_.latency_trials()) return std::nullopt;
  repetition_ = static_cast<uint32_t>(latency_.size()) + 1;
  return Plan(Rfc2544Trial::LATENCY_PHASE, result().throughput_load(),
              parameters_.latency_trial_ns());
}

std::optional<Rfc2544Trial> Procedure::NextFrameLoss() {
  if (!Tests(measurement::v1::FRAME_LOSS)) return std::nullopt;
  while (repetition_ <= parameters_.repeat()) {
    if (!loss_.has_value()) {
      loss_.emplace(parameters_.loss_step());
      result().add_frame_loss();
    }
    if (const std::optional<double> load = loss_->Next()) {
      return Plan(Rfc2544Trial::FRAME_LOSS_PHASE, *load, parameters_.trial_ns());
    }
    loss_.reset();
    ++repetition_;
  }
  return std::nullopt;
}

std::optional<Rfc2544Trial> Procedure::NextBackToBack() {
  if (!Tests(measurement::v1::BACK_TO_BACK)) return std::nullopt;
  if (SameLoad(result().throughput_load(), 1)) {
    Note("no back-to-back test: the throughput is the line rate, so no burst is lost (RFC 9004)");
    return std::nullopt;
  }
  while (repetition_ <= parameters_.bursts()) {
    const uint64_t longest = LongestBurst(frame_bytes());
    if (!burst_.has_value()) {
      burst_.emplace(parameters_.streams(), longest, parameters_.burst_resolution());
    }
    if (const std::optional<uint64_t> frames = burst_->Next()) {
      const double line = LineFps(parameters_.line_bps(), frame_bytes());
      Rfc2544Trial trial =
          Plan(Rfc2544Trial::BACK_TO_BACK_PHASE, 1,
               static_cast<uint64_t>(std::ceil(static_cast<double>(*frames) / line * 1e9)));
      trial.set_burst_frames(*frames);
      return trial;
    }
    result().mutable_back_to_back()->add_frames(burst_->passed());
    if (burst_->whole()) result().mutable_back_to_back()->set_whole(true);
    SumBackToBack();
    burst_.reset();
    ++repetition_;
  }
  return std::nullopt;
}

absl::Status Procedure::Take(const Rfc2544Trial& trial) {
  if (!Next().has_value()) {
    return Contradiction(trial, "the run was complete before it");
  }
  if (absl::Status status = Match(*next_, trial); !status.ok()) return status;
  if (absl::Status status = CheckCounts(trial); !status.ok()) return status;
  next_.reset();
  ++taken_;
  const bool judged = stage_ != Stage::kLearning && stage_ != Stage::kRampUp;
  if (judged && trial.tester_limited() && !again_) {
    again_ = true;
    return absl::OkStatus();
  }
  again_ = false;
  ++in_stage_;
  switch (stage_) {
    case Stage::kLearning:
    case Stage::kRampUp:
      break;
    case Stage::kThroughput:
      TakeThroughput(trial);
      break;
    case Stage::kLatency:
      TakeLatency(trial);
      break;
    case Stage::kFrameLoss:
      TakeFrameLoss(trial);
      break;
    case Stage::kBackToBack:
      TakeBackToBack(trial);
      break;
  }
  return absl::OkStatus();
}

void Procedure::TakeThroughput(const Rfc2544Trial& trial) {
  Rfc2544Throughput& search = *result().mutable_throughput(result().throughput_size() - 1);
  // A load that was not offered cannot pass, whatever arrived.
  const bool passed = !trial.tester_limited() && trial.sent() != 0 &&
                      static_cast<double>(trial.lost()) <=
                          parameters_.acceptable_loss() * static_cast<double>(trial.sent());
  throughput_->Take(passed);
  search.set_load(throughput_->passed());
  search.set_failed_load(throughput_->failed().value_or(0));
  if (passed) {
    search.set_fps(std::min(trial.offered_fps(), trial.intended_fps()));
  } else {
    search.set_tester_limited(trial.tester_limited());
    search.set_tester_limit(trial.tester_limit());
  }
}

void Procedure::TakeLatency(const Rfc2544Trial& trial) {
  latency_.push_back(trial);
  Rfc2544Latency& latency = *result().mutable_latency();
  latency.set_load(trial.load());
  latency.set_trials(static_cast<uint32_t>(latency_.size()));
  latency.set_frames(latency.frames() + trial.delay().samples());
  latency.set_lost(latency.lost() + trial.lost());
  latency.set_tester_limited(latency.tester_limited() || trial.tester_limited());
  latency.set_fps(MeanOf(latency_, [](const auto& t) { return t.offered_fps(); }));
  std::vector<Rfc2544Trial> heard;
  for (const Rfc2544Trial& each : latency_) {
    if (each.delay().samples() != 0) heard.push_back(each);
  }
  if (heard.empty()) return;
  const auto ns = [](int64_t value) { return static_cast<double>(value); };
  const auto [low, high] = std::pair(
      std::min_element(
          heard.begin(), heard.end(),
          [](const auto& a, const auto& b) { return a.delay().min_ns() < b.delay().min_ns(); }),
      std::max_element(heard.begin(), heard.end(), [](const auto& a, const auto& b) {
        return a.delay().max_ns() < b.delay().max_ns();
      }));
  latency.set_min_ns(ns(low->delay().min_ns()));
  latency.set_max_ns(ns(high->delay().max_ns()));
  const auto mean = [&heard](double (*value)(const Rfc2544Trial&)) { return MeanOf(heard, value); };
  latency.set_p50_ns(mean([](const auto& t) { return static_cast<double>(t.delay().p50_ns()); }));
  latency.set_p99_ns(mean([](const auto& t) { return static_cast<double>(t.delay().p99_ns()); }));
  latency.set_p999_ns(mean([](const auto& t) { return static_cast<double>(t.delay().p999_ns()); }));
  latency.set_mean_ns(mean([](const auto& t) { return static_cast<double>(t.delay().mean_ns()); }));
}

void Procedure::TakeFrameLoss(const Rfc2544Trial& trial) {
  Rfc2544LossPoint& point =
      *result().mutable_frame_loss(result().frame_loss_size() - 1)->add_points();
  point.set_load(trial.load());
  point.set_offered_fps(trial.offered_fps());
  point.set_frame_loss_rate(FrameLossRate(trial.sent(), trial.received()));
  point.set_tester_limited(trial.tester_limited());
  // What was not offered could not be lost.
  loss_->Take(trial.lost() == 0 && !trial.tester_limited());
}

// A burst that the tester sent too slowly passes for one that was not lost, but says so.
void Procedure::TakeBackToBack(const Rfc2544Trial& trial) {
  if (trial.tester_limited()) result().mutable_back_to_back()->set_tester_limited(true);
  burst_->Take(trial.lost() == 0);
}

void Procedure::SumBackToBack() {
  Rfc2544BackToBack& sum = *result().mutable_back_to_back();
  const auto& frames = sum.frames();
  const auto count = static_cast<double>(frames.size());
  double total = 0, squares = 0;
  for (const uint64_t each : frames) total += static_cast<double>(each);
  const double mean = total / count;
  for (const uint64_t each : frames) squares += std::pow(static_cast<double>(each) - mean, 2);
  sum.set_mean_frames(mean);
  sum.set_min_frames(*std::min_element(frames.begin(), frames.end()));
  sum.set_max_frames(*std::max_element(frames.begin(), frames.end()));
  sum.set_deviation_frames(count > 1 ? std::sqrt(squares / (count - 1)) : 0);
  if (sum.whole()) {
    sum.clear_implied_buffer_s();
    sum.clear_corrected_buffer_s();
    return;
  }
  // RFC 9004 section 6.4: while the burst comes in, the DUT forwards at its throughput.
  sum.set_implied_buffer_s(mean / result().line_fps());
  if (result().throughput_size() == 0) return;
  sum.set_corrected_buffer_s(sum.implied_buffer_s() *
                             (1 - result().throughput_fps() / result().line_fps()));
}

Estimate Procedure::EstimateStage(Stage stage, uint32_t frame_bytes) const {
  uint64_t trials = 0, each_ns = 0;
  switch (stage) {
    case Stage::kLearning:
      trials = parameters_.learning_ns() != 0 ? 1 : 0;
      each_ns = parameters_.learning_ns();
      break;
    case Stage::kRampUp:
      trials = parameters_.ramp_up_ns() != 0 ? std::size(kRampUpLoads) : 0;
      each_ns = parameters_.ramp_up_ns();
      break;
    case Stage::kThroughput:
      if (!Tests(measurement::v1::THROUGHPUT)) break;
      trials =
          uint64_t{parameters_.repeat()} * ThroughputSearch::MostTrials(parameters_.resolution());
      each_ns = parameters_.trial_ns();
      break;
    case Stage::kLatency:
      if (!Tests(measurement::v1::LATENCY)) break;
      trials = parameters_.latency_trials();
      each_ns = parameters_.latency_trial_ns();
      break;
    case Stage::kFrameLoss:
      if (!Tests(measurement::v1::FRAME_LOSS)) break;
      trials = uint64_t{parameters_.repeat()} * LossCurve::MostTrials(parameters_.loss_step());
      each_ns = parameters_.trial_ns();
      break;
    case Stage::kBackToBack: {
      if (!Tests(measurement::v1::BACK_TO_BACK)) break;
      const uint32_t search = BurstSearch::MostTrials(
          parameters_.streams(), LongestBurst(frame_bytes), parameters_.burst_resolution());
      trials = uint64_t{parameters_.bursts()} * search;
      // Each half as long as the one before: two of the longest in all.
      each_ns = 2 * parameters_.longest_burst_ns() / search;
      break;
    }
  }
  const uint64_t pause_ns = kTrialOverheadNs + parameters_.residual_ns() + parameters_.settle_ns();
  return {trials, trials * (each_ns + pause_ns)};
}

Estimate Procedure::Remaining() const {
  Estimate left;
  for (size_t frame = frame_; frame < static_cast<size_t>(parameters_.frame_bytes_size());
       ++frame) {
    for (int stage = 0; stage <= static_cast<int>(Stage::kBackToBack); ++stage) {
      if (frame == frame_ && stage < static_cast<int>(stage_)) continue;
      Estimate of_stage = EstimateStage(static_cast<Stage>(stage),
                                        parameters_.frame_bytes(static_cast<int>(frame)));
      if (frame == frame_ && stage == static_cast<int>(stage_) && of_stage.trials != 0) {
        const uint64_t done = std::min<uint64_t>(in_stage_, of_stage.trials);
        of_stage.ns -= of_stage.ns / of_stage.trials * done;
        of_stage.trials -= done;
      }
      left.trials += of_stage.trials;
      left.ns += of_stage.ns;
    }
  }
  return left;
}

}  // namespace weir::cli::rfc2544
