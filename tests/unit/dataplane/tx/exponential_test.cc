#include "dataplane/tx/exponential.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace weir::dataplane {
namespace {

constexpr uint64_t kMean = 1'000'000'000;

std::vector<double> Gaps(uint64_t seed, size_t count) {
  Exponential exponential(seed);
  std::vector<double> gaps;
  for (size_t i = 0; i < count; ++i) {
    gaps.push_back(static_cast<double>(exponential.Gap(kMean)) / kMean);
  }
  return gaps;
}

// A million gaps: the mean's own standard deviation is 0.001, the variance's 0.0028.
TEST(Exponential, HasTheMeanAndTheVarianceOfItsDistribution) {
  for (uint64_t seed : {1u, 2u, 3u}) {
    const std::vector<double> gaps = Gaps(seed, 1'000'000);
    double sum = 0, squares = 0;
    for (double gap : gaps) {
      sum += gap;
      squares += gap * gap;
    }
    const double mean = sum / static_cast<double>(gaps.size());
    EXPECT_NEAR(mean, 1, 0.005);
    EXPECT_NEAR(squares / static_cast<double>(gaps.size()) - mean * mean, 1, 0.015);
  }
}

// The share of gaps above x is e^-x (Kolmogorov-Smirnov, to 0.0025 with a million).
TEST(Exponential, HasItsQuantiles) {
  std::vector<double> gaps = Gaps(7, 1'000'000);
  std::sort(gaps.begin(), gaps.end());
  for (double x : {0.01, 0.1, 0.5, 1.0, 2.0, 4.0, 6.0}) {
    const auto above = gaps.end() - std::upper_bound(gaps.begin(), gaps.end(), x);
    EXPECT_NEAR(static_cast<double>(above) / 1e6, std::exp(-x), 0.0025) << x;
  }
}

TEST(Exponential, GapsDoNotDependOnTheOneBefore) {
  const std::vector<double> gaps = Gaps(11, 1'000'000);
  double product = 0;
  for (size_t i = 1; i < gaps.size(); ++i) product += (gaps[i] - 1) * (gaps[i - 1] - 1);
  EXPECT_NEAR(product / static_cast<double>(gaps.size()), 0, 0.005);
}

TEST(Exponential, LongGapsDoNotOverflow) {
  Exponential exponential(5);
  const uint64_t mean = uint64_t{1} << 58;  // In the pacer's unit: hours at any rate.
  uint64_t longest = 0;
  for (int i = 0; i < 100'000; ++i) longest = std::max(longest, exponential.Gap(mean));
  EXPECT_GT(longest, 8 * mean);
}

}  // namespace
}  // namespace weir::dataplane
