#include "control/cli/terminal.h"

#include <gtest/gtest.h>

#include "control/cli/render_result.h"
#include "control/cli/render_server.h"

namespace weir::cli {
namespace {

TEST(TerminalTest, PaintsOnlyInColour) {
  EXPECT_EQ(Terminal(true, false, false).Paint(Style::kRed, "x"), "\033[31mx\033[0m");
  EXPECT_EQ(Terminal(false, true, true).Paint(Style::kRed, "x"), "x");
}

TEST(TerminalTest, LiveLineIsTakenBack) {
  testing::internal::CaptureStderr();
  Terminal live(false, true, false);
  live.ShowLine("running 1.0 s");
  live.ClearLine();
  live.ClearLine();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "\r\033[Krunning 1.0 s\r\033[K");
  testing::internal::CaptureStderr();
  Terminal quiet(false, false, false);
  quiet.ShowLine("running");
  quiet.ClearLine();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(RenderTest, ProgressNamesEachDirection) {
  measurement::v1::TestProgress progress;
  progress.set_state("running");
  progress.set_elapsed_ns(3'000'000'000);
  for (auto direction : {record::v1::DOWN, record::v1::UP}) {
    progress.add_directions(direction);
    progress.add_intervals()->set_ip_bps(1e9);
  }
  EXPECT_EQ(RenderProgress(progress, 10'000'000'000),
            "running 3.0 s of 10.0 s | down 1.000 Gbit/s, lost 0 | up 1.000 Gbit/s, lost 0");
}

TEST(RenderTest, UnsynchronisedClocksAreSaid) {
  record::v1::DirectionResult result;
  result.mutable_one_way_delay()->set_samples(1);
  const std::string text = RenderDirection(result, Terminal(false, false, false));
  EXPECT_NE(text.find("clocks are not synchronised"), std::string::npos) << text;
}

TEST(RenderTest, WrapBreaksBetweenWords) {
  EXPECT_EQ(Wrap("aaa bbb ccc", "  ", 9), "  aaa bbb\n  ccc\n");
  EXPECT_EQ(Wrap("", "  "), "");
  EXPECT_EQ(Wrap("much-too-long-for-it x", "", 5), "much-too-long-for-it\nx\n");
}

}  // namespace
}  // namespace weir::cli
