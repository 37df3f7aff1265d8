#include "dataplane/tx/backlog.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace weir::dataplane {
namespace {

TEST(Backlog, ForgetsNothing) {
  Backlog backlog;
  const PaceTime gap = 1000;
  EXPECT_EQ(backlog.Shorten(gap), gap);
  const PaceTime off = backlog.PutOff(10'500, 500);
  EXPECT_EQ(off, 10'000u);
  PaceTime saved = 0;
  uint32_t packets = 0;
  for (; backlog.behind() != 0; ++packets) {
    const PaceTime left = backlog.Shorten(gap);
    EXPECT_LE(left, gap);
    saved += gap - left;
  }
  EXPECT_EQ(saved, off);
  EXPECT_LT(packets, 80u);
  EXPECT_EQ(backlog.Shorten(gap), gap);
}

TEST(Backlog, BringsALongOneAllButTheEndAtOnce) {
  Backlog backlog;
  const PaceTime gap = 1000;
  backlog.PutOff(10'000'000, 0);
  while (backlog.behind() > 16 * gap) ASSERT_EQ(backlog.Shorten(gap), 0u);
  EXPECT_GE(backlog.Shorten(gap), 0u);
  EXPECT_GT(backlog.Shorten(gap), 0u);
}

}  // namespace
}  // namespace weir::dataplane
