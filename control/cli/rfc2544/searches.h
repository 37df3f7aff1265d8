// The searches of RFC 2544 section 26: which trial is next, from what the last ones showed. They
// know no packets, clocks or files.
#ifndef WEIR_CONTROL_CLI_RFC2544_SEARCHES_H_
#define WEIR_CONTROL_CLI_RFC2544_SEARCHES_H_

#include <cstdint>
#include <optional>

namespace weir::cli::rfc2544 {

// Section 26.1: the highest load that passes, by bisection on a grid whose last point is the line
// rate and whose step is at most `resolution` (a share of the line, above 0 and at most 1).
class ThroughputSearch {
 public:
  explicit ThroughputSearch(double resolution);

  // The load to try, a share of the line. Nothing: the search is over.
  std::optional<double> Next() const;
  // Whether the load of Next() passed.
  void Take(bool passed);

  // The highest load that passed; 0: none has.
  double passed() const { return At(passed_); }
  // The lowest that failed. Nothing: none has.
  std::optional<double> failed() const;

  // How many trials a search can take.
  static uint32_t MostTrials(double resolution);

 private:
  double At(uint64_t step) const { return static_cast<double>(step) / static_cast<double>(steps_); }

  const uint64_t steps_;
  uint64_t passed_ = 0;
  uint64_t failed_;  // steps_ + 1: none.
};

// Section 26.3: from the line rate down, until two trials in succession were without loss.
class LossCurve {
 public:
  // `step`: a share of the line, above 0 and at most 0.1, as the RFC says.
  explicit LossCurve(double step);

  std::optional<double> Next() const;
  void Take(bool without_loss);

  static uint32_t MostTrials(double step);

 private:
  const uint64_t steps_;
  uint64_t at_;
  uint32_t clean_ = 0;  // Trials without loss in succession.
};

// Section 26.4 and RFC 9004: the longest burst at the line rate without loss, by bisection
// until the bounds are within `resolution` of each other or one frame apart.
class BurstSearch {
 public:
  // Bursts of `shortest` (at least 1) to `longest` frames.
  BurstSearch(uint64_t shortest, uint64_t longest, double resolution);

  std::optional<uint64_t> Next() const;
  void Take(bool without_loss);

  // The longest that passed; 0: not even the shortest.
  uint64_t passed() const { return passed_ < shortest_ ? 0 : passed_; }
  // The longest burst passed: the DUT's limit is not known.
  bool whole() const { return passed_ == longest_; }

  static uint32_t MostTrials(uint64_t shortest, uint64_t longest, double resolution);

 private:
  const uint64_t shortest_;
  const uint64_t longest_;
  const double resolution_;
  uint64_t passed_;
  uint64_t failed_;
};

}  // namespace weir::cli::rfc2544

#endif  // WEIR_CONTROL_CLI_RFC2544_SEARCHES_H_
