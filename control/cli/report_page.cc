#include "control/cli/report_page.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "control/cli/html/page.h"
#include "control/cli/html/svg_plot.h"
#include "control/cli/render_report.h"
#include "control/cli/render_result.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

namespace ms = measurement::v1;

constexpr size_t kMostPlotted = 24;  // Of prefixes and systems; the table has all.
constexpr size_t kMostBuckets = 400;
constexpr double kApart = 0.1;  // Of a group's width: the two directions.

struct Quantity {
  const char* title;
  const char* axis;
  const char* cell;
  const ms::Distribution& (*of)(const ms::ReportGroup&);
  std::string (*format)(double);
  std::string (*format_axis)(double);
};

std::string AxisPercent(double share) { return AxisNumber(share * 100); }
std::string CellNs(double ns) { return FormatDurationNs(ns); }

const Quantity kQuantities[] = {
    {"IP-layer capacity", "rate", "rate",
     [](const ms::ReportGroup& group) -> const ms::Distribution& { return group.rate_bps(); },
     FormatRate, AxisBps},
    {"Packet loss ratio", "loss, %", "loss",
     [](const ms::ReportGroup& group) -> const ms::Distribution& { return group.loss_ratio(); },
     FormatShare, AxisPercent},
    {"One-way delay, median of each test", "delay", "delay",
     [](const ms::ReportGroup& group) -> const ms::Distribution& { return group.delay_ns(); },
     CellNs, AxisNs},
    {"Delay variation, 99th percentile of each test", "delay above the smallest", "variation",
     [](const ms::ReportGroup& group) -> const ms::Distribution& {
       return group.delay_variation_ns();
     },
     CellNs, AxisNs},
};

// Where each named group stands on the x axis, and what is written there.
struct Scale {
  std::map<std::string, size_t> places = {};
  std::vector<std::string> labels = {};
  const char* name;
  bool ordered;
};

Scale TimeScale(const ms::ReportTable& table) {
  Scale scale{.name = "time, UTC", .ordered = true};
  const absl::Duration bucket = absl::Nanoseconds(static_cast<int64_t>(table.bucket_ns()));
  const auto when = [](const std::string& name) {
    absl::Time time;
    return absl::ParseTime(absl::RFC3339_full, name, &time, nullptr) ? time : absl::UnixEpoch();
  };
  absl::Time first = absl::InfiniteFuture(), last = absl::InfinitePast();
  for (const ms::ReportGroup& group : table.groups()) {
    if (group.kind() != ms::ReportGroup::NAMED) continue;
    first = std::min(first, when(group.name()));
    last = std::max(last, when(group.name()));
  }
  // With a place for those in which nobody tested.
  const char* const form = bucket < absl::Hours(24) ? "%m-%d %H:%M" : "%Y-%m-%d";
  for (absl::Time at = first; at <= last && scale.labels.size() < kMostBuckets; at += bucket) {
    scale.places[absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", at, absl::UTCTimeZone())] =
        scale.labels.size();
    scale.labels.push_back(absl::FormatTime(form, at, absl::UTCTimeZone()));
  }
  return scale;
}

Scale GroupScale(const ms::ReportTable& table) {
  Scale scale{.name = table.by() == ms::PREFIX ? "client's prefix" : "client's autonomous system",
              .ordered = false};
  for (const ms::ReportGroup& group : table.groups()) {
    if (group.kind() != ms::ReportGroup::NAMED || scale.places.contains(group.name())) continue;
    if (scale.labels.size() == kMostPlotted) break;
    scale.places[group.name()] = scale.labels.size();
    scale.labels.push_back(group.name());
  }
  return scale;
}

std::string PlotOf(const ms::ReportTable& table, const Scale& scale, const Quantity& quantity) {
  Plot plot{.title = absl::StrCat(quantity.title, ": median, and range from p5 to p95"),
            .x_label = scale.name,
            .y_label = quantity.axis,
            .categories = scale.labels,
            .ordered = scale.ordered,
            .format_y = quantity.format_axis,
            .series = {}};
  for (const record::v1::Direction direction : {record::v1::DOWN, record::v1::UP}) {
    PlotSeries series{.name = Name(direction), .points = {}, .line = scale.ordered};
    for (const ms::ReportGroup& group : table.groups()) {
      const ms::Distribution& values = quantity.of(group);
      const auto place = scale.places.find(group.name());
      if (group.kind() != ms::ReportGroup::NAMED || group.direction() != direction ||
          place == scale.places.end() || !values.has_p50()) {
        continue;
      }
      const bool range = values.has_p5() && values.has_p95();
      series.points.push_back({.x = static_cast<double>(place->second) +
                                    (direction == record::v1::DOWN ? -kApart : kApart),
                               .y = values.p50(),
                               .low = range ? values.p5() : 0,
                               .high = range ? values.p95() : 0});
    }
    if (!series.points.empty()) plot.series.push_back(std::move(series));
  }
  return RenderPlot(plot);
}

std::string Cell(const ms::Distribution& values, const Quantity& quantity) {
  if (!values.has_p50()) return "-";
  std::string text = EscapeHtml(quantity.format(values.p50()));
  const auto end = [&](bool has, double value) {
    return has ? EscapeHtml(quantity.format(value)) : std::string("-");
  };
  if (values.has_p5() || values.has_p95()) {
    absl::StrAppend(&text, "<br><span class=\"soft\">", end(values.has_p5(), values.p5()), " to ",
                    end(values.has_p95(), values.p95()), "</span>");
  }
  if (values.without() != 0) {
    absl::StrAppend(&text, "<br><span class=\"soft\">", FormatCount(values.without()),
                    " without</span>");
  }
  return text;
}

std::string TableOf(const ms::ReportTable& table) {
  std::string rows;
  for (const ms::ReportGroup& group : table.groups()) {
    std::vector<std::string> cells = {EscapeHtml(GroupName(table, group)), Name(group.direction()),
                                      FormatCount(group.records()),
                                      FormatCount(group.reached_load())};
    for (const Quantity& quantity : kQuantities) {
      cells.push_back(Cell(quantity.of(group), quantity));
    }
    rows += HtmlRow(cells);
  }
  std::vector<std::string> head = {"group", "direction", "tests", "reached their load"};
  for (const Quantity& quantity : kQuantities) head.emplace_back(quantity.cell);
  return HtmlTable(head, rows);
}

std::string Section(const ms::ReportTable& table) {
  std::string text = absl::StrCat("<h2>", TableTitle(table), "</h2>\n");
  if (table.groups().empty()) return text + "<p>No tests.</p>\n";
  const Scale scale = table.by() == ms::TIME ? TimeScale(table) : GroupScale(table);
  if (!scale.labels.empty()) {
    for (const Quantity& quantity : kQuantities) text += PlotOf(table, scale, quantity);
  }
  return text + TableOf(table);
}

}  // namespace

std::string RenderReportPage(const ms::PublicReport& report) {
  std::string text = "<table class=\"facts\">\n";
  absl::StrAppend(&text, HtmlFact("Server", report.node()),
                  HtmlFact("Operator", absl::StrCat(report.operator_(), ", ", report.contact())),
                  HtmlFact("Time", absl::StrCat(report.since(), " to ", report.until())),
                  HtmlFact("Experiment", report.experiment().empty() ? "all" : report.experiment()),
                  HtmlFact("Records", absl::StrCat(FormatCount(report.records()), " released")),
                  HtmlFact("Made", report.generated_at()), "</table>\n");
  for (const ms::ReportTable& table : report.tables()) text += Section(table);
  absl::StrAppend(&text, "<h2>How to read this</h2>\n<ul>\n");
  for (const std::string& note : ReportNotes(report)) {
    absl::StrAppend(&text, "<li>", EscapeHtml(note), "</li>\n");
  }
  return HtmlPage("Network measurements", text + "</ul>\n");
}

}  // namespace weir::cli
