#include "control/store/release_clock.h"

#include <gtest/gtest.h>

namespace weir::control {
namespace {

constexpr int64_t kTickNs = 1'000'000'000;
constexpr int64_t kTickDay = 86'400 * kTickNs;
constexpr int64_t kTickStart = 1'800'000'000 * kTickNs;

class ReleaseClockTest : public testing::Test {
 protected:
  ReleaseClockTest() { Read(kTickStart, 100 * kTickNs, true); }

  int64_t Read(int64_t wall, int64_t boot, bool synchronised, const char* boot_id = "a") {
    clock_.Advance(
        {.wall_ns = wall, .boot_ns = boot, .boot_id = boot_id, .synchronised = synchronised});
    return clock_.now_ns - kTickStart;
  }

  ReleaseClock clock_;
};

TEST_F(ReleaseClockTest, FollowsElapsedTimeWhateverTheWallClockDoes) {
  EXPECT_EQ(Read(kTickStart + 5 * kTickNs, 105 * kTickNs, true), 5 * kTickNs);
  EXPECT_EQ(Read(kTickStart + 400 * kTickDay, 106 * kTickNs, true), 6 * kTickNs)
      << "a jump forward";
  EXPECT_EQ(Read(kTickStart - 400 * kTickDay, 107 * kTickNs, true), 7 * kTickNs) << "a jump back";
  EXPECT_EQ(Read(kTickStart + 8 * kTickNs, 50 * kTickNs, true), 7 * kTickNs)
      << "a restored snapshot: never back";
}

TEST_F(ReleaseClockTest, CountsDownTimeIfTheClockWasRightBeforeAndAfter) {
  EXPECT_EQ(Read(kTickStart + 10 * kTickDay, 3 * kTickNs, true, "b"), 10 * kTickDay);
}

TEST_F(ReleaseClockTest, AnUnsynchronisedClockAfterARestartReleasesNothingEarly) {
  EXPECT_EQ(Read(kTickStart + 400 * kTickDay, 3 * kTickNs, false, "b"), 3 * kTickNs);
  EXPECT_EQ(Read(kTickStart + 400 * kTickDay, 9 * kTickNs, false, "b"), 9 * kTickNs);
  // Once it is synchronised the down time is known.
  EXPECT_EQ(Read(kTickStart + 2 * kTickDay, 20 * kTickNs, true, "b"), 2 * kTickDay);
  EXPECT_EQ(Read(kTickStart + 500 * kTickDay, 21 * kTickNs, true, "b"), 2 * kTickDay + 1 * kTickNs);
}

TEST_F(ReleaseClockTest, AClockThatWentBackOverARestartLosesNoTime) {
  EXPECT_EQ(Read(kTickStart + kTickNs, 101 * kTickNs, true), kTickNs);
  EXPECT_EQ(Read(kTickStart - 400 * kTickDay, 7 * kTickNs, true, "b"), 8 * kTickNs);
}

TEST(ReleaseClockHostTest, ReadsTheHost) {
  const ClockReading reading = ReadClocks();
  EXPECT_GT(reading.wall_ns, kTickStart / 2);
  EXPECT_GT(reading.boot_ns, 0);
  EXPECT_FALSE(reading.boot_id.empty());
}

}  // namespace
}  // namespace weir::control
