#include "control/cli/rfc2544/html_report.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "control/cli/rfc2544/parameters.h"
#include "control/cli/rfc2544/render.h"
#include "control/cli/rfc2544/svg_plot.h"
#include "control/cli/units.h"

namespace weir::cli::rfc2544 {
namespace {

using measurement::v1::Rfc2544LossPoint;
using measurement::v1::Rfc2544Report;
using measurement::v1::Rfc2544Test;

constexpr char kStyle[] = R"(
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b636b; --faint: #d5d9de; --ground: #fff;
  --c0: #0b62c4; --c1: #c2560c; --c2: #17703a; --c3: #8a2fb0; --c4: #b3261e; --c5: #0a7c86; --c6: #7a6200; --c7: #5b636b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ea; --soft: #9aa4ae; --faint: #3a4148; --ground: #14171a;
    --c0: #6cb2ff; --c1: #ffa163; --c2: #6fd08c; --c3: #d8a0f5; --c4: #ff8a80; --c5: #63d3dd; --c6: #e2c85a; --c7: #9aa4ae; }
}
body { background: var(--ground); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; max-width: 72rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--faint); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } td.text, th.text { text-align: left; white-space: normal; }
.facts th { text-align: left; font-weight: 600; width: 11rem; vertical-align: top; }
.facts td { text-align: left; white-space: normal; }
.tester { color: var(--c4); font-weight: 600; }
.soft { color: var(--soft); }
.scroll { overflow-x: auto; }
figure { margin: 1.5rem 0; } figcaption { font-weight: 600; }
svg { width: 100%; height: auto; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
.grid { stroke: var(--faint); } .line { fill: none; stroke-width: 2; } .dashed { stroke-dasharray: 5 4; }
.range { stroke-width: 2; opacity: .55; }
.s0 { stroke: var(--c0); fill: var(--c0); } .s1 { stroke: var(--c1); fill: var(--c1); }
.s2 { stroke: var(--c2); fill: var(--c2); } .s3 { stroke: var(--c3); fill: var(--c3); }
.s4 { stroke: var(--c4); fill: var(--c4); } .s5 { stroke: var(--c5); fill: var(--c5); }
.s6 { stroke: var(--c6); fill: var(--c6); } .s7 { stroke: var(--c7); fill: var(--c7); }
.line { fill: none; }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure { break-inside: avoid; } }
)";

constexpr char kTesterCell[] = "<span class=\"tester\">the tester, not the DUT</span>";

std::string TableRow(const std::vector<std::string>& cells, const char* tag = "td") {
  std::string row = "<tr>";
  for (const std::string& cell : cells) absl::StrAppend(&row, "<", tag, ">", cell, "</", tag, ">");
  return row + "</tr>\n";
}

std::string Table(const std::vector<std::string>& head, const std::string& rows) {
  return absl::StrCat("<div class=\"scroll\"><table><thead>", TableRow(head, "th"),
                      "</thead><tbody>\n", rows, "</tbody></table></div>\n");
}

std::string Ns(double ns) { return FormatDurationNs(ns); }
// Of axes: round values without the digits of measured ones.
std::string AxisNumber(double value) {
  return value >= 1000 ? FormatCount(static_cast<uint64_t>(value)) : absl::StrFormat("%.4g", value);
}
std::string AxisNs(double ns) {
  if (ns >= 1e9) return absl::StrFormat("%.4g s", ns / 1e9);
  if (ns >= 1e6) return absl::StrFormat("%.4g ms", ns / 1e6);
  return ns >= 1e3 ? absl::StrFormat("%.4g us", ns / 1e3) : absl::StrFormat("%.4g ns", ns);
}
std::string PercentOf(double share) { return absl::StrFormat("%.2f", share * 100); }

class Page {
 public:
  explicit Page(const Rfc2544Report& report) : report_(report) {
    for (const Rfc2544FrameResult& result : report.results()) {
      sizes_.push_back(absl::StrCat(result.frame_bytes()));
    }
  }

  std::string Render() {
    text_ = absl::StrCat(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<title>RFC 2544 benchmark</title><style>",
        kStyle, "</style></head><body>\n<h1>RFC 2544 benchmark</h1>\n");
    Facts();
    if (Tested(measurement::v1::THROUGHPUT)) Throughput();
    if (Tested(measurement::v1::LATENCY)) Latency();
    if (Tested(measurement::v1::FRAME_LOSS)) FrameLoss();
    if (Tested(measurement::v1::BACK_TO_BACK)) BackToBack();
    NoteList();
    Trials();
    return text_ + "</body></html>\n";
  }

 private:
  bool Tested(Rfc2544Test test) const {
    const auto& tests = report_.parameters().tests();
    return std::find(tests.begin(), tests.end(), test) != tests.end();
  }

  void Facts() {
    const Rfc2544Parameters& p = report_.parameters();
    const auto fact = [this](const char* name, const std::string& value) {
      absl::StrAppend(&text_, "<tr><th>", name, "</th><td>", EscapeHtml(value), "</td></tr>\n");
    };
    absl::StrAppend(&text_, "<table class=\"facts\">\n");
    fact("Begun", absl::StrCat(report_.started_at(),
                               report_.complete() ? "" : "; not complete: it can be continued"));
    fact("Tester", absl::StrCat(report_.node(), ", ", report_.software()));
    fact("Path", absl::StrCat("port ", p.out_port(), " (", report_.out_device(), ") to port ",
                              p.in_port(), " (", report_.in_device(), ")"));
    fact("Theoretical rate", FormatRate(p.line_bps()) + " on the wire");
    fact("Frame sizes", absl::StrCat(absl::StrJoin(p.frame_bytes(), ", "), " bytes with FCS"));
    fact("Type of stream", absl::StrCat("UDP over IPv", p.ip_version(), ", ", p.streams(),
                                        p.streams() == 1 ? " flow" : " flows", ", DSCP ", p.dscp(),
                                        ", constant rate, one direction"));
    fact("Trials", absl::StrCat(Ns(static_cast<double>(p.trial_ns())), ", latency ",
                                Ns(static_cast<double>(p.latency_trial_ns())), "; ",
                                report_.trials_size(), " were run"));
    absl::StrAppend(&text_, "</table>\n");
  }

  void Section(const char* title, const char* rfc) {
    absl::StrAppend(&text_, "<h2>", title, " <span class=\"soft\">", rfc, "</span></h2>\n");
  }

  void Throughput() {
    Section("Throughput", "RFC 2544 section 26.1");
    std::string rows;
    Plot plot{.title = "Throughput by frame size",
              .x_label = "frame size, bytes",
              .y_label = "frames/s",
              .categories = sizes_,
              .format_y = AxisNumber,
              .series = {{.name = "theoretical", .points = {}, .dashed = true},
                         {.name = "measured", .points = {}}}};
    for (int i = 0; i < report_.results_size(); ++i) {
      const Rfc2544FrameResult& result = report_.results(i);
      if (result.throughput_size() == 0) continue;
      const auto [lowest, highest] =
          std::minmax_element(result.throughput().begin(), result.throughput().end(),
                              [](const auto& a, const auto& b) { return a.load() < b.load(); });
      rows += TableRow({sizes_[static_cast<size_t>(i)], FormatFps(result.line_fps()),
                        lowest->load() == 0 ? "none" : FormatFps(result.throughput_fps()),
                        PercentOf(result.throughput_fps() / result.line_fps()),
                        FormatRate(result.throughput_fps() * result.frame_bytes() * 8),
                        absl::StrCat(result.throughput_size()),
                        absl::StrCat(PercentOf(lowest->load()), " to ", PercentOf(highest->load())),
                        lowest->failed_load() == 0 ? "the line rate"
                        : lowest->tester_limited()
                            ? absl::StrCat("<span title=\"", EscapeHtml(lowest->tester_limit()),
                                           "\">", kTesterCell, "</span>")
                            : "the DUT"});
      plot.series[0].points.push_back({.x = static_cast<double>(i), .y = result.line_fps()});
      plot.series[1].points.push_back({.x = static_cast<double>(i), .y = result.throughput_fps()});
    }
    text_ += Table({"frame", "theoretical frames/s", "frames/s", "% of line", "Ethernet rate",
                    "searches", "their range, %", "limit"},
                   rows);
    text_ += RenderPlot(plot);
  }

  void Latency() {
    Section("Latency", "RFC 2544 section 26.2, at the throughput");
    std::string rows;
    Plot plot{.title = "Latency by frame size; bars reach from the smallest to the largest",
              .x_label = "frame size, bytes",
              .y_label = "latency (logarithmic)",
              .categories = sizes_,
              .logarithmic = true,
              .format_y = AxisNs,
              .series = {{.name = "p50", .points = {}},
                         {.name = "p99", .points = {}},
                         {.name = "p99.9", .points = {}}}};
    for (int i = 0; i < report_.results_size(); ++i) {
      const Rfc2544FrameResult& result = report_.results(i);
      if (!result.has_latency()) continue;
      const auto& latency = result.latency();
      rows += TableRow(
          {sizes_[static_cast<size_t>(i)], FormatFps(latency.fps()), PercentOf(latency.load()),
           absl::StrCat(latency.trials()), FormatCount(latency.frames()), Ns(latency.min_ns()),
           Ns(latency.p50_ns()), Ns(latency.p99_ns()), Ns(latency.p999_ns()), Ns(latency.max_ns()),
           Ns(latency.mean_ns()), Ns(result.frame_time_ns()), FormatCount(latency.lost())});
      const double x = i;
      plot.series[0].points.push_back(
          {.x = x, .y = latency.p50_ns(), .low = latency.min_ns(), .high = latency.max_ns()});
      plot.series[1].points.push_back({.x = x, .y = latency.p99_ns()});
      plot.series[2].points.push_back({.x = x, .y = latency.p999_ns()});
    }
    text_ += Table({"frame", "frames/s", "% of line", "trials", "frames", "min", "p50", "p99",
                    "p99.9", "max", "mean", "frame time", "lost"},
                   rows);
    text_ += RenderPlot(plot);
  }

  void FrameLoss() {
    Section("Frame loss rate", "RFC 2544 section 26.3");
    std::string rows;
    Plot plot{.title = "Frame loss rate by offered load",
              .x_label = "offered load, % of the line rate",
              .y_label = "frame loss rate, %",
              .categories = {},
              .format_y = AxisNumber,
              .series = {}};
    for (const Rfc2544FrameResult& result : report_.results()) {
      for (int curve = 0; curve < result.frame_loss_size(); ++curve) {
        const std::string name =
            result.frame_loss_size() == 1
                ? absl::StrCat(result.frame_bytes(), " bytes")
                : absl::StrCat(result.frame_bytes(), " bytes, curve ", curve + 1);
        PlotSeries series{.name = name, .points = {}};
        for (const Rfc2544LossPoint& point : result.frame_loss(curve).points()) {
          rows += TableRow({name, PercentOf(point.load()), FormatFps(point.offered_fps()),
                            absl::StrFormat("%.4f", point.frame_loss_rate()),
                            point.tester_limited() ? kTesterCell : ""});
          // What the tester did not offer is no point of the DUT's curve.
          if (!point.tester_limited()) {
            series.points.push_back({.x = point.load(), .y = point.frame_loss_rate()});
          }
        }
        plot.series.push_back(std::move(series));
      }
    }
    text_ += RenderPlot(plot);
    absl::StrAppend(
        &text_, "<details><summary>All points</summary>\n",
        Table({"curve", "% of line", "offered frames/s", "frame loss rate, %", "limit"}, rows),
        "</details>\n");
  }

  void BackToBack() {
    Section("Back-to-back frames", "RFC 2544 section 26.4, RFC 9004");
    std::string rows;
    Plot plot{.title = "Longest burst at the line rate without loss",
              .x_label = "frame size, bytes",
              .y_label = "frames: mean, and range of the searches",
              .categories = sizes_,
              .format_y = AxisNumber,
              .series = {{.name = "mean", .points = {}, .line = false}}};
    for (int i = 0; i < report_.results_size(); ++i) {
      const Rfc2544FrameResult& result = report_.results(i);
      if (!result.has_back_to_back()) continue;
      const auto& burst = result.back_to_back();
      const auto buffer = [](double seconds) {
        return seconds == 0 ? std::string("-") : Ns(seconds * 1e9);
      };
      rows += TableRow({sizes_[static_cast<size_t>(i)], absl::StrCat(burst.frames_size()),
                        absl::StrFormat("%.1f", burst.mean_frames()),
                        FormatCount(burst.min_frames()), FormatCount(burst.max_frames()),
                        absl::StrFormat("%.1f", burst.deviation_frames()),
                        buffer(burst.implied_buffer_s()), buffer(burst.corrected_buffer_s()),
                        burst.tester_limited() ? kTesterCell
                        : burst.whole()        ? "no loss: lower bounds"
                                               : "the DUT"});
      plot.series[0].points.push_back({.x = static_cast<double>(i),
                                       .y = burst.mean_frames(),
                                       .low = static_cast<double>(burst.min_frames()),
                                       .high = static_cast<double>(burst.max_frames())});
    }
    text_ += Table({"frame", "searches", "mean frames", "min", "max", "std deviation",
                    "implied buffer time", "corrected buffer time", "limit"},
                   rows);
    text_ += RenderPlot(plot);
  }

  void NoteList() {
    absl::StrAppend(&text_, "<h2>Notes</h2>\n<ul>\n");
    for (const std::string& note : AllNotes(report_)) {
      absl::StrAppend(&text_, "<li>", EscapeHtml(note), "</li>\n");
    }
    absl::StrAppend(&text_, "</ul>\n");
  }

  void Trials() {
    std::string rows;
    for (const Rfc2544Trial& trial : report_.trials()) {
      rows += TableRow({absl::StrCat(trial.number()), absl::StrCat(trial.frame_bytes()),
                        PhaseName(trial.phase()), PercentOf(trial.load()),
                        FormatFps(trial.offered_fps()), FormatCount(trial.sent()),
                        FormatCount(trial.unsent()), FormatCount(trial.received()),
                        FormatCount(trial.lost()), absl::StrFormat("%.4f", trial.frame_loss_rate()),
                        EscapeHtml(trial.tester_limit())});
    }
    absl::StrAppend(&text_, "<h2>Trials</h2>\n<details><summary>All ", report_.trials_size(),
                    " trials in order</summary>\n",
                    Table({"trial", "frame", "phase", "% of line", "offered frames/s", "input",
                           "unsent", "output", "lost", "loss %", "limit of the tester"},
                          rows),
                    "</details>\n");
  }

  const Rfc2544Report& report_;
  std::vector<std::string> sizes_;
  std::string text_;
};

}  // namespace

std::string RenderHtml(const Rfc2544Report& report) { return Page(report).Render(); }

}  // namespace weir::cli::rfc2544
