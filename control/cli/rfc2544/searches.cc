#include "control/cli/rfc2544/searches.h"

#include <algorithm>
#include <cmath>

namespace weir::cli::rfc2544 {
namespace {

// So many equal steps from 0 to the line rate that one is at most `share`.
uint64_t StepsOf(double share) {
  // 1 / 0.1 and its like are meant to be whole numbers.
  return std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(1 / share - 1e-6)));
}

}  // namespace

ThroughputSearch::ThroughputSearch(double resolution)
    : steps_(StepsOf(resolution)), failed_(steps_ + 1) {}

std::optional<double> ThroughputSearch::Next() const {
  if (failed_ == steps_ + 1) return passed_ == steps_ ? std::nullopt : std::optional(1.0);
  if (failed_ - passed_ <= 1) return std::nullopt;
  return At(passed_ + (failed_ - passed_) / 2);
}

void ThroughputSearch::Take(bool passed) {
  const bool first = failed_ == steps_ + 1;
  const uint64_t step = first ? steps_ : passed_ + (failed_ - passed_) / 2;
  (passed ? passed_ : failed_) = step;
}

std::optional<double> ThroughputSearch::failed() const {
  return failed_ > steps_ ? std::nullopt : std::optional(At(failed_));
}

uint32_t ThroughputSearch::MostTrials(double resolution) {
  uint32_t trials = 1;
  for (uint64_t range = StepsOf(resolution); range > 1; range -= range / 2) ++trials;
  return trials;
}

LossCurve::LossCurve(double step) : steps_(StepsOf(step)), at_(steps_) {}

std::optional<double> LossCurve::Next() const {
  if (clean_ == 2 || at_ == 0) return std::nullopt;
  return static_cast<double>(at_) / static_cast<double>(steps_);
}

void LossCurve::Take(bool without_loss) {
  clean_ = without_loss ? clean_ + 1 : 0;
  --at_;
}

uint32_t LossCurve::MostTrials(double step) { return static_cast<uint32_t>(StepsOf(step)); }

BurstSearch::BurstSearch(uint64_t shortest, uint64_t longest, double resolution)
    : shortest_(shortest),
      longest_(std::max(shortest, longest)),
      resolution_(resolution),
      passed_(shortest - 1),
      failed_(longest_ + 1) {}

std::optional<uint64_t> BurstSearch::Next() const {
  if (failed_ > longest_) return whole() ? std::nullopt : std::optional(longest_);
  const uint64_t apart = failed_ - passed_;
  if (apart <= 1 || static_cast<double>(apart) <= resolution_ * static_cast<double>(passed_)) {
    return std::nullopt;
  }
  return passed_ + (apart + 1) / 2;
}

void BurstSearch::Take(bool without_loss) {
  const uint64_t frames = failed_ > longest_ ? longest_ : passed_ + (failed_ - passed_ + 1) / 2;
  (without_loss ? passed_ : failed_) = frames;
}

uint32_t BurstSearch::MostTrials(uint64_t shortest, uint64_t longest, double resolution) {
  // Failures leave the larger half, and the least to be within `resolution` of.
  BurstSearch search(shortest, longest, resolution);
  uint32_t trials = 0;
  while (search.Next().has_value()) {
    search.Take(false);
    ++trials;
  }
  return trials;
}

}  // namespace weir::cli::rfc2544
