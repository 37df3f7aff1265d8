#include "control/cli/rfc2544/searches.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::cli::rfc2544 {
namespace {

// The loads a search tries on a DUT that passes up to `limit`.
std::vector<double> Search(ThroughputSearch* search, double limit) {
  std::vector<double> tried;
  while (const auto load = search->Next()) {
    tried.push_back(*load);
    search->Take(*load <= limit);
  }
  return tried;
}

TEST(ThroughputSearch, TheLineRateIsTriedFirstAndIsEnough) {
  ThroughputSearch search(0.001);
  EXPECT_EQ(Search(&search, 1), std::vector<double>{1});
  EXPECT_EQ(search.passed(), 1);
  EXPECT_FALSE(search.failed().has_value());
}

TEST(ThroughputSearch, FindsEveryLimitToTheResolution) {
  for (const double resolution : {0.5, 0.3, 0.1, 0.05, 0.001, 0.0007}) {
    const uint32_t most = ThroughputSearch::MostTrials(resolution);
    for (int i = 0; i < 200; ++i) {
      const double limit = i / 200.0;
      ThroughputSearch search(resolution);
      const std::vector<double> tried = Search(&search, limit);
      EXPECT_LE(tried.size(), most) << resolution << " " << limit;
      EXPECT_LE(search.passed(), limit);
      ASSERT_TRUE(search.failed().has_value());
      EXPECT_GT(*search.failed(), limit);
      EXPECT_LE(*search.failed() - search.passed(), resolution + 1e-12);
    }
  }
}

TEST(ThroughputSearch, ADutThatPassesNothingHasNone) {
  ThroughputSearch search(0.1);
  Search(&search, -1);
  EXPECT_EQ(search.passed(), 0);
  EXPECT_NEAR(*search.failed(), 0.1, 1e-12);
}

TEST(ThroughputSearch, MostTrialsIsReached) {
  for (const double resolution : {0.5, 0.1, 0.01, 0.001}) {
    size_t most = 0;
    for (int i = 0; i < 2000; ++i) {
      ThroughputSearch search(resolution);
      most = std::max(most, Search(&search, i / 2000.0).size());
    }
    EXPECT_EQ(most, ThroughputSearch::MostTrials(resolution)) << resolution;
  }
}

std::vector<double> Curve(double step, const std::vector<double>& clean) {
  LossCurve curve(step);
  std::vector<double> tried;
  while (const auto load = curve.Next()) {
    tried.push_back(*load);
    bool without_loss = false;
    for (const double each : clean) without_loss |= std::abs(each - *load) < 1e-9;
    curve.Take(without_loss);
  }
  return tried;
}

TEST(LossCurve, EndsAfterTwoTrialsWithoutLossInSuccession) {
  EXPECT_EQ(Curve(0.1, {1.0, 0.9}), (std::vector<double>{1, 0.9}));
  // One alone does not end it.
  EXPECT_EQ(Curve(0.1, {0.9, 0.7, 0.6}), (std::vector<double>{1, 0.9, 0.8, 0.7, 0.6}));
}

TEST(LossCurve, EndsAtTheLastStepWhereAllIsLoss) {
  EXPECT_EQ(Curve(0.1, {}).size(), 10u);
  EXPECT_EQ(LossCurve::MostTrials(0.1), 10u);
  EXPECT_EQ(LossCurve::MostTrials(0.03), 34u);  // A step is never above what was asked.
  EXPECT_NEAR(Curve(0.1, {}).back(), 0.1, 1e-12);
}

TEST(BurstSearch, FindsTheLongestBurstToTheFrame) {
  for (uint64_t limit = 1; limit < 100; ++limit) {
    BurstSearch search(1, 100, 0);
    uint32_t trials = 0;
    while (const auto frames = search.Next()) {
      search.Take(*frames <= limit);
      ++trials;
    }
    EXPECT_EQ(search.passed(), limit);
    EXPECT_FALSE(search.whole());
    EXPECT_LE(trials, BurstSearch::MostTrials(1, 100, 0));
  }
}

TEST(BurstSearch, TheLongestIsTriedFirstAndIsALowerBound) {
  BurstSearch search(1, 1000, 0.01);
  EXPECT_EQ(search.Next(), 1000u);
  search.Take(true);
  EXPECT_FALSE(search.Next().has_value());
  EXPECT_TRUE(search.whole());
  EXPECT_EQ(search.passed(), 1000u);
}

TEST(BurstSearch, NoneWhereTheShortestIsLost) {
  BurstSearch search(4, 1000, 0.01);
  while (const auto frames = search.Next()) {
    EXPECT_GE(*frames, 4u);
    search.Take(false);
  }
  EXPECT_EQ(search.passed(), 0u);
}

TEST(BurstSearch, ResolutionSavesTrials) {
  BurstSearch search(1, 1'000'000, 0.1);
  while (const auto frames = search.Next()) search.Take(*frames <= 123'456);
  EXPECT_LE(search.passed(), 123'456u);
  EXPECT_GE(static_cast<double>(search.passed()), 123'456 / 1.11);
}

}  // namespace
}  // namespace weir::cli::rfc2544
