// weir report: the table's width, the page, the times that are understood.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "control/cli/html/page.h"
#include "control/cli/render_report.h"
#include "control/cli/report_command.h"
#include "control/cli/report_page.h"

namespace weir::cli {
namespace {

namespace ms = measurement::v1;

void Fill(double value, ms::Distribution* out) {
  out->set_values(30);
  out->set_p50(value);
  out->set_p5(value * 0.5);
  out->set_p95(value * 1.5);
}

ms::PublicReport Reported(int groups) {
  ms::PublicReport report;
  report.set_node("lab-1.example.net");
  report.set_operator_("Example <Lab>");
  report.set_since("2026-09-01T00:00:00Z");
  report.set_until("2026-10-01T00:00:00Z");
  report.set_min_clients(5);
  report.set_records(1'234'567);
  report.set_aborted(3);
  for (const ms::ReportDimension by : {ms::TIME, ms::PREFIX, ms::ASN}) {
    ms::ReportTable* table = report.add_tables();
    table->set_by(by);
    table->set_bucket_ns(uint64_t{86'400} * 1'000'000'000);
    for (int i = 0; i < groups; ++i) {
      for (const record::v1::Direction direction : {record::v1::DOWN, record::v1::UP}) {
        ms::ReportGroup* group = table->add_groups();
        group->set_kind(ms::ReportGroup::NAMED);
        group->set_name(by == ms::TIME     ? absl::StrCat("2026-09-", 10 + i, "T00:00:00Z")
                        : by == ms::PREFIX ? absl::StrCat("2001:db8:", 1000 + i, "::/48")
                                           : absl::StrCat("AS", 64'500 + i));
        group->set_direction(direction);
        group->set_records(123'456);
        Fill(999.999e6, group->mutable_rate_bps());
        Fill(0.000123, group->mutable_loss_ratio());
        Fill(123.456e6, group->mutable_delay_ns());
        Fill(9.876e6, group->mutable_delay_variation_ns());
      }
    }
  }
  return report;
}

TEST(RenderReport, IsAtMostEightyColumnsWide) {
  const std::string text = RenderReport(Reported(4), Terminal(false, false, false));
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    EXPECT_LE(line.size(), 80u) << std::string(line);
  }
  EXPECT_NE(text.find("2026-09-13"), std::string::npos);
  EXPECT_NE(text.find("p95"), std::string::npos);
  EXPECT_NE(text.find("1,234,567 released records"), std::string::npos);
  EXPECT_NE(text.find("no asn_table"), std::string::npos);
}

TEST(RenderReport, SaysWhatItMayNotTell) {
  ms::PublicReport report = Reported(0);
  ms::ReportGroup* group = report.mutable_tables(1)->add_groups();
  group->set_kind(ms::ReportGroup::OTHER);
  group->set_name("other");
  group->set_direction(record::v1::UP);
  group->set_records(2);
  const std::string text = RenderReport(report, Terminal(false, false, false));
  const size_t at = text.find("other");
  ASSERT_NE(at, std::string::npos);
  EXPECT_NE(text.substr(at, 80).find("2 p50              -        -"), std::string::npos)
      << text.substr(at, 80);
}

TEST(ReportPage, StandsAlone) {
  const std::string page = RenderReportPage(Reported(20));
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos);
  EXPECT_EQ(page.find("<Lab>"), std::string::npos);  // Escaped.
  EXPECT_NE(page.find("prefers-color-scheme: dark"), std::string::npos);
  size_t plots = 0;
  for (size_t at = 0; (at = page.find("<svg", at)) != std::string::npos; ++at) ++plots;
  EXPECT_EQ(plots, 12u);  // Four of each table.
}

TEST(ParseDay, TakesDaysMomentsAndAges) {
  constexpr int64_t now = int64_t{1'790'000'000} * 1'000'000'000;
  EXPECT_EQ(ParseDay("2026-09-21", now), uint64_t{1'789'948'800} * 1'000'000'000);
  EXPECT_EQ(ParseDay("2026-09-21T00:00:01Z", now), uint64_t{1'789'948'801} * 1'000'000'000);
  EXPECT_EQ(ParseDay("36h", now), uint64_t{1'790'000'000 - 36 * 3600} * 1'000'000'000);
  EXPECT_EQ(ParseDay("2d", now), uint64_t{1'790'000'000 - 2 * 86'400} * 1'000'000'000);
  for (const char* bad : {"", "x", "12", "-3d", "2026-13-01", "1w", "nand", "1e300d"}) {
    EXPECT_FALSE(ParseDay(bad, now)) << bad;
  }
}

}  // namespace
}  // namespace weir::cli
