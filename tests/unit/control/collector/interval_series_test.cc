#include "control/collector/interval_series.h"

#include <gtest/gtest.h>

namespace weir::control {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kBegin = 1'000 * kSecond + 123;

TEST(IntervalSeries, CutsDifferencesOfCumulativeCounters) {
  IntervalSeries series;
  EXPECT_FALSE(series.Due(kBegin));
  series.Begin(kBegin);
  EXPECT_FALSE(series.Due(kBegin + kSecond - 1));
  ASSERT_TRUE(series.Due(kBegin + kSecond));
  series.Cut(kBegin + kSecond, {.received = 100, .lost = 2, .ip_bytes = 125'000, .jitter_ns = 7});
  const record::v1::Interval second =
      series.Cut(kBegin + 2 * kSecond, {.received = 150, .lost = 2, .ip_bytes = 250'000});
  const record::v1::Interval& first = series.intervals()[0];
  EXPECT_EQ(first.index(), 0u);
  EXPECT_EQ(first.start_ns(), 0u);
  EXPECT_EQ(first.length_ns(), kSecond);
  EXPECT_EQ(first.received(), 100u);
  EXPECT_EQ(first.lost(), 2u);
  EXPECT_DOUBLE_EQ(first.ip_bps(), 1e6);
  EXPECT_EQ(first.jitter_ns(), 7);
  EXPECT_EQ(second.index(), 1u);
  EXPECT_EQ(second.start_ns(), kSecond);
  EXPECT_EQ(second.received(), 50u);
  EXPECT_EQ(second.lost(), 0u);
}

TEST(IntervalSeries, StaysOnTheGridAfterALateCut) {
  IntervalSeries series;
  series.Begin(kBegin);
  series.Cut(kBegin + kSecond + kSecond / 10, {.received = 1});
  EXPECT_EQ(series.NextCutNs(), kBegin + 2 * kSecond);
}

TEST(IntervalSeries, FinishesWithWhatIsLeft) {
  IntervalSeries series;
  series.Begin(kBegin);
  series.Cut(kBegin + kSecond, {.received = 100});
  series.Finish(kBegin + kSecond + kSecond / 2, {.received = 150});
  ASSERT_EQ(series.intervals().size(), 2u);
  EXPECT_EQ(series.intervals()[1].length_ns(), kSecond / 2);
  EXPECT_EQ(series.intervals()[1].received(), 50u);
}

TEST(IntervalSeries, AddsAShortRestToTheLastInterval) {
  IntervalSeries series;
  series.Begin(kBegin);
  series.Cut(kBegin + kSecond, {.received = 100});
  series.Finish(kBegin + kSecond + 5, {.received = 101, .lost = 1});
  ASSERT_EQ(series.intervals().size(), 1u);
  EXPECT_EQ(series.intervals()[0].received(), 101u);
  EXPECT_EQ(series.intervals()[0].lost(), 1u);
  EXPECT_EQ(series.intervals()[0].length_ns(), kSecond + 5);
}

TEST(IntervalSeries, AddsNothingWhenNothingIsLeft) {
  IntervalSeries series;
  series.Begin(kBegin);
  series.Cut(kBegin + kSecond, {.received = 100});
  series.Finish(kBegin + kSecond - 3, {.received = 100});
  EXPECT_EQ(series.intervals().size(), 1u);
  IntervalSeries empty;
  empty.Finish(kBegin, {});
  EXPECT_TRUE(empty.intervals().empty());
}

TEST(IntervalSeries, NeverRunsBackwards) {
  IntervalSeries series;
  series.Begin(kBegin);
  series.Cut(kBegin + kSecond, {.received = 100});
  EXPECT_EQ(series.Cut(kBegin + 2 * kSecond, {.received = 90}).received(), 0u);
}

}  // namespace
}  // namespace weir::control
