// The whole run: for each frame size a learning phase, a ramp-up, then the tests of RFC 2544
// section 26. Decides which trial is next and what the trials mean; knows no packets or files, so
// that the trials of a state file bring it to where the run was.
#ifndef WEIR_CONTROL_CLI_RFC2544_PROCEDURE_H_
#define WEIR_CONTROL_CLI_RFC2544_PROCEDURE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "control/cli/rfc2544/searches.h"
#include "measurement/v1/rfc2544.pb.h"

namespace weir::cli::rfc2544 {

using measurement::v1::Rfc2544FrameResult;
using measurement::v1::Rfc2544Parameters;
using measurement::v1::Rfc2544Trial;

inline constexpr uint32_t kPreambleAndGap = 8 + 12;

// The most frames of a size the line carries in a second.
inline double LineFps(double line_bps, uint32_t frame_bytes) {
  return line_bps / 8 / (frame_bytes + kPreambleAndGap);
}

// (input - output) * 100 / input, RFC 2544 section 26.3.
inline double FrameLossRate(uint64_t input, uint64_t output) {
  return input == 0 ? 0 : static_cast<double>(input - output) * 100 / static_cast<double>(input);
}

struct Estimate {
  uint64_t trials = 0;
  uint64_t ns = 0;
};

class Procedure {
 public:
  // `parameters` have passed Validate().
  explicit Procedure(const Rfc2544Parameters& parameters);

  // The trial to run now: what is asked of it. Nothing: the run is complete.
  std::optional<Rfc2544Trial> Next();
  // The trial of Next() with what was measured. InvalidArgument: it is another one, or its counts
  // contradict each other.
  absl::Status Take(const Rfc2544Trial& trial);

  // What is left at most, the pauses included.
  Estimate Remaining() const;

  // A result for each frame size that was begun.
  const std::vector<Rfc2544FrameResult>& Results() const { return results_; }

 private:
  enum class Stage { kLearning, kRampUp, kThroughput, kLatency, kFrameLoss, kBackToBack };

  bool Tests(measurement::v1::Rfc2544Test test) const;
  uint32_t frame_bytes() const { return parameters_.frame_bytes(static_cast<int>(frame_)); }
  Rfc2544FrameResult& result() { return results_.back(); }

  std::optional<Rfc2544Trial> NextOfStage();
  std::optional<Rfc2544Trial> NextThroughput();
  std::optional<Rfc2544Trial> NextLatency();
  std::optional<Rfc2544Trial> NextFrameLoss();
  std::optional<Rfc2544Trial> NextBackToBack();
  Rfc2544Trial Plan(Rfc2544Trial::Phase phase, double load, uint64_t duration_ns) const;
  void BeginStage(Stage stage);
  void EndStage();
  void Note(const std::string& text);

  void TakeThroughput(const Rfc2544Trial& trial);
  void TakeLatency(const Rfc2544Trial& trial);
  void TakeFrameLoss(const Rfc2544Trial& trial);
  void TakeBackToBack(const Rfc2544Trial& trial);
  void EndSearch();
  void SumBackToBack();

  uint64_t LongestBurst(uint32_t frame_bytes) const;
  Estimate EstimateStage(Stage stage, uint32_t frame_bytes) const;

  const Rfc2544Parameters parameters_;
  uint32_t taken_ = 0;  // Trials.
  size_t frame_ = 0;
  Stage stage_ = Stage::kLearning;
  uint32_t in_stage_ = 0;    // Trials taken in this stage.
  uint32_t repetition_ = 1;  // Of a search or a curve.
  bool again_ = false;       // The tester spoiled the last trial: the same once more.
  std::optional<Rfc2544Trial> next_;
  std::optional<ThroughputSearch> throughput_;
  std::optional<LossCurve> loss_;
  std::optional<BurstSearch> burst_;
  std::vector<Rfc2544Trial> latency_;  // Of this frame size.
  std::vector<Rfc2544FrameResult> results_;
};

}  // namespace weir::cli::rfc2544

#endif  // WEIR_CONTROL_CLI_RFC2544_PROCEDURE_H_
