#include "dataplane/tx/backlog.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace weir::dataplane {
namespace {

TEST(Backlog, ForgetsNothing) {
  Backlog backlog;
  const PaceTime gap = 1000;
  EXPECT_EQ(backlog.Shorten(gap), gap);
  const PaceTime off = 10'000;
  backlog.PutOff(off);
  PaceTime saved = 0;
  uint32_t packets = 0;
  for (; backlog.behind() != 0; ++packets) {
    const PaceTime left = backlog.Shorten(gap);
    EXPECT_LE(left, gap);
    saved += gap - left;
  }
  EXPECT_EQ(saved, off);
  EXPECT_LT(packets, 5u + 6 * 1000);
  EXPECT_EQ(backlog.Shorten(gap), gap);
}

TEST(Backlog, BringsALongOneAllButTheEndAtOnce) {
  Backlog backlog;
  const PaceTime gap = 1000;
  backlog.PutOff(10'000'500);
  while (backlog.behind() > 5 * gap) ASSERT_EQ(backlog.Shorten(gap), 0u);
  EXPECT_EQ(backlog.behind(), 4 * gap + gap / 2);
  EXPECT_LT(backlog.Shorten(gap), gap);
}

TEST(Backlog, BringsAShortOneBackByAlmostRightGaps) {
  Backlog backlog;
  const PaceTime gap = 10'000;
  backlog.PutOff(39'000);
  while (backlog.behind() != 0) {
    const PaceTime left = backlog.Shorten(gap);
    ASSERT_LT(left, gap);
    ASSERT_GE(left, gap - gap / 500);
  }
}

}  // namespace
}  // namespace weir::dataplane
