#include "control/cli/rfc2544/html_report.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "control/cli/html/page.h"
#include "control/cli/html/svg_plot.h"
#include "control/cli/rfc2544/parameters.h"
#include "control/cli/rfc2544/render.h"
#include "control/cli/units.h"

namespace weir::cli::rfc2544 {
namespace {

using measurement::v1::Rfc2544LossPoint;
using measurement::v1::Rfc2544Report;
using measurement::v1::Rfc2544Test;

constexpr char kTesterCell[] = "<span class=\"tester\">the tester, not the DUT</span>";

std::string Ns(double ns) { return FormatDurationNs(ns); }
std::string PercentOf(double share) { return absl::StrFormat("%.2f", share * 100); }

class Page {
 public:
  explicit Page(const Rfc2544Report& report) : report_(report) {
    for (const Rfc2544FrameResult& result : report.results()) {
      sizes_.push_back(absl::StrCat(result.frame_bytes()));
    }
  }

  std::string Render() {
    Facts();
    if (Tested(measurement::v1::THROUGHPUT)) Throughput();
    if (Tested(measurement::v1::LATENCY)) Latency();
    if (Tested(measurement::v1::FRAME_LOSS)) FrameLoss();
    if (Tested(measurement::v1::BACK_TO_BACK)) BackToBack();
    NoteList();
    Trials();
    return HtmlPage("RFC 2544 benchmark", text_);
  }

 private:
  bool Tested(Rfc2544Test test) const {
    const auto& tests = report_.parameters().tests();
    return std::find(tests.begin(), tests.end(), test) != tests.end();
  }

  void Facts() {
    const Rfc2544Parameters& p = report_.parameters();
    const auto fact = [this](const char* name, const std::string& value) {
      text_ += HtmlFact(name, value);
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
      rows += HtmlRow({sizes_[static_cast<size_t>(i)], FormatFps(result.line_fps()),
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
    text_ += HtmlTable({"frame", "theoretical frames/s", "frames/s", "% of line", "Ethernet rate",
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
      rows += HtmlRow(
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
    text_ += HtmlTable({"frame", "frames/s", "% of line", "trials", "frames", "min", "p50", "p99",
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
          rows += HtmlRow({name, PercentOf(point.load()), FormatFps(point.offered_fps()),
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
        HtmlTable({"curve", "% of line", "offered frames/s", "frame loss rate, %", "limit"}, rows),
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
      rows += HtmlRow({sizes_[static_cast<size_t>(i)], absl::StrCat(burst.frames_size()),
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
    text_ += HtmlTable({"frame", "searches", "mean frames", "min", "max", "std deviation",
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
      rows += HtmlRow({absl::StrCat(trial.number()), absl::StrCat(trial.frame_bytes()),
                       PhaseName(trial.phase()), PercentOf(trial.load()),
                       FormatFps(trial.offered_fps()), FormatCount(trial.sent()),
                       FormatCount(trial.unsent()), FormatCount(trial.received()),
                       FormatCount(trial.lost()), absl::StrFormat("%.4f", trial.frame_loss_rate()),
                       EscapeHtml(trial.tester_limit())});
    }
    absl::StrAppend(&text_, "<h2>Trials</h2>\n<details><summary>All ", report_.trials_size(),
                    " trials in order</summary>\n",
                    HtmlTable({"trial", "frame", "phase", "% of line", "offered frames/s", "input",
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
