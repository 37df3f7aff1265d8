#include "control/collector/calibration.h"

#include <gtest/gtest.h>

#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

using measurement::v1::Calibration;

Calibration TwoPoints() {
  Calibration calibration;
  for (const auto& [frame, pps] : {std::pair{64u, 10e6}, {1518u, 5e6}}) {
    auto* point = calibration.add_points();
    point->set_frame_bytes(frame);
    point->set_generate_pps(pps);
    point->set_sink_pps(pps / 2);
    point->set_loop_pps(pps / 3);
  }
  return calibration;
}

TEST(CalibrationStore, KeepsWhatIsSetForTheNextProcess) {
  const TempDir dir;
  const std::string file = dir.File("calibration.textproto");
  CalibrationStore store(file);
  EXPECT_EQ(store.Get(), nullptr);
  EXPECT_EQ(store.For(64).generate_pps, 0);
  ASSERT_TRUE(store.Set(TwoPoints()).ok());
  EXPECT_DOUBLE_EQ(store.For(64).generate_pps, 10e6);

  const CalibrationStore next(file);
  ASSERT_NE(next.Get(), nullptr);
  EXPECT_EQ(next.Get()->cpu(), CpuName());
  EXPECT_DOUBLE_EQ(next.For(1518).sink_pps, 2.5e6);
}

TEST(CalibrationStore, TheTimeOfAPacketIsLinearInItsSize) {
  const TempDir dir;
  CalibrationStore store(dir.File("calibration.textproto"));
  ASSERT_TRUE(store.Set(TwoPoints()).ok());
  // 100 ns and 200 ns: half way 150 ns.
  EXPECT_NEAR(store.For((64 + 1518) / 2.0).generate_pps, 1e9 / 150, 1);
  EXPECT_DOUBLE_EQ(store.For(60).generate_pps, 10e6);
  EXPECT_DOUBLE_EQ(store.For(9000).generate_pps, 5e6);
}

TEST(CalibrationStore, WhatMakesNoSenseIsRefusedAndNothingIsReplaced) {
  const TempDir dir;
  CalibrationStore store(dir.File("calibration.textproto"));
  ASSERT_TRUE(store.Set(TwoPoints()).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(store.Set({})));
  Calibration falling = TwoPoints();
  falling.mutable_points(1)->set_frame_bytes(64);
  EXPECT_TRUE(absl::IsInvalidArgument(store.Set(falling)));
  Calibration idle = TwoPoints();
  idle.mutable_points(0)->set_sink_pps(0);
  EXPECT_TRUE(absl::IsInvalidArgument(store.Set(idle)));
  EXPECT_DOUBLE_EQ(store.For(64).generate_pps, 10e6);
}

TEST(CalibrationStore, AFileOfAnotherCpuOrOfNonsenseIsNotUsed) {
  const TempDir dir;
  const std::string other = dir.Write("other.textproto",
                                      "cpu: \"another\" points { frame_bytes: 64 generate_pps: 1 "
                                      "sink_pps: 1 }");
  EXPECT_EQ(CalibrationStore(other).Get(), nullptr);
  EXPECT_EQ(CalibrationStore(dir.Write("bad.textproto", "points: nonsense")).Get(), nullptr);
}

TEST(CalibrationStore, ADirectoryThatIsNotThereIsSaid) {
  CalibrationStore store("/nonexistent/calibration.textproto");
  const absl::Status status = store.Set(TwoPoints());
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("/nonexistent"), absl::string_view::npos);
}

}  // namespace
}  // namespace weir::control
