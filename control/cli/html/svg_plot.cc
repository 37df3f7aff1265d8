#include "control/cli/html/svg_plot.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/cli/html/page.h"

namespace weir::cli {
namespace {

constexpr double kWidth = 760, kHeight = 320;
constexpr double kLeft = 88, kRight = 24, kTop = 34, kBottom = 48;
constexpr double kLegendRow = 18;
constexpr size_t kLegendColumns = 4;
constexpr size_t kColours = 8;
constexpr size_t kMostTicks = 6;
constexpr double kGlyph = 6.6;  // Width of a digit of the labels.
constexpr double kSlant = 40;   // Degrees.

// From 0 to above the highest in round steps.
std::vector<double> LinearTicks(double highest) {
  if (!(highest > 0)) highest = 1;
  const double size = std::pow(10, std::floor(std::log10(highest)));
  double step = size * 2;
  for (const double part : {0.2, 0.5, 1.0}) {
    if (highest / (size * part) <= kMostTicks) {
      step = size * part;
      break;
    }
  }
  std::vector<double> ticks;
  for (size_t i = 0; ticks.empty() || ticks.back() < highest; ++i) {
    ticks.push_back(step * static_cast<double>(i));
  }
  return ticks;
}

std::vector<double> DecadeTicks(double lowest, double highest) {
  std::vector<double> ticks = {std::pow(10, std::floor(std::log10(lowest)))};
  while (ticks.back() < highest || ticks.size() < 2) ticks.push_back(ticks.back() * 10);
  return ticks;
}

class Drawing {
 public:
  explicit Drawing(const Plot& plot) : plot_(plot) {
    double lowest = 0, highest = 0;
    for (const PlotSeries& series : plot.series) {
      for (const PlotPoint& point : series.points) {
        if (!Shown(point)) continue;
        const bool range = point.low < point.high;
        const double low = range && point.low > 0 ? point.low : point.y;
        lowest = any_ ? std::min(lowest, low) : low;
        highest = std::max({highest, point.y, range ? point.high : 0});
        any_ = true;
      }
    }
    if (!any_) return;
    ticks_ = plot.logarithmic ? DecadeTicks(lowest, highest) : LinearTicks(highest);
    const size_t legend_rows = (plot.series.size() + kLegendColumns - 1) / kLegendColumns;
    top_ = kTop + kLegendRow * static_cast<double>(legend_rows);
    size_t longest = 0;
    for (const std::string& name : plot.categories) longest = std::max(longest, name.size());
    label_width_ = kGlyph * static_cast<double>(longest);
    const double slot = (kWidth - kLeft - kRight) / static_cast<double>(plot.categories.size());
    aslant_ = !plot.ordered && label_width_ + kGlyph > slot;
    if (plot.ordered) every_ = static_cast<size_t>(std::ceil((label_width_ + kGlyph) / slot));
    // Slanted labels reach below.
    extra_ = aslant_ ? label_width_ * std::sin(kSlant * M_PI / 180) : 0;
  }

  std::string Render() {
    if (!any_) return "";
    absl::StrAppend(
        &svg_, "<figure><figcaption>", EscapeHtml(plot_.title), "</figcaption>\n",
        absl::StrFormat("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
                        "aria-label=\"%s\">\n",
                        kWidth, kHeight + top_ - kTop + extra_, EscapeHtml(plot_.title)));
    Axes();
    for (size_t i = 0; i < plot_.series.size(); ++i) Series(i);
    Legend();
    return svg_ + "</svg></figure>\n";
  }

 private:
  bool Shown(const PlotPoint& point) const { return !plot_.logarithmic || point.y > 0; }
  double bottom() const { return kHeight + top_ - kTop - kBottom; }

  double X(double x) const {
    const double width = kWidth - kLeft - kRight;
    if (plot_.categories.empty()) return kLeft + x * width;
    return kLeft + (x + 0.5) / static_cast<double>(plot_.categories.size()) * width;
  }

  double Y(double y) const {
    const double share = plot_.logarithmic
                             ? std::log(std::max(y, ticks_.front()) / ticks_.front()) /
                                   std::log(ticks_.back() / ticks_.front())
                             : y / ticks_.back();
    return bottom() - share * (bottom() - top_);
  }

  void Text(double x, double y, const char* anchor, const std::string& text) {
    absl::StrAppend(
        &svg_, absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y,
                               anchor, EscapeHtml(text)));
  }

  void Slanted(double x, double y, const std::string& text) {
    absl::StrAppend(&svg_, absl::StrFormat("<text transform=\"translate(%.1f %.1f) rotate(-%.0f)\" "
                                           "text-anchor=\"end\">%s</text>\n",
                                           x, y, kSlant, EscapeHtml(text)));
  }

  void Axes() {
    for (const double tick : ticks_) {
      absl::StrAppend(&svg_, absl::StrFormat("<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" "
                                             "y1=\"%.1f\" y2=\"%.1f\"/>\n",
                                             kLeft, kWidth - kRight, Y(tick), Y(tick)));
      Text(kLeft - 8, Y(tick) + 4, "end", plot_.format_y(tick));
    }
    if (plot_.categories.empty()) {
      for (int tenth = 0; tenth <= 10; tenth += 2) {
        Text(X(tenth / 10.0), bottom() + 18, "middle", absl::StrCat(tenth * 10));
      }
    }
    for (size_t i = 0; i < plot_.categories.size(); ++i) {
      if (i % every_ != 0) continue;
      const double x = X(static_cast<double>(i));
      if (aslant_) {
        Slanted(x + 4, bottom() + 14, plot_.categories[i]);
      } else {
        Text(x, bottom() + 18, "middle", plot_.categories[i]);
      }
    }
    Text((kLeft + kWidth - kRight) / 2, bottom() + 40 + extra_, "middle", plot_.x_label);
    Text(4, 14, "start", plot_.y_label);
  }

  void Series(size_t index) {
    const PlotSeries& series = plot_.series[index];
    const size_t colour = index % kColours;
    std::string path;
    for (const PlotPoint& point : series.points) {
      if (Shown(point))
        absl::StrAppend(&path, absl::StrFormat("%.1f,%.1f ", X(point.x), Y(point.y)));
    }
    if (series.line) {
      absl::StrAppend(&svg_, absl::StrFormat("<polyline class=\"s%u line%s\" points=\"%s\"/>\n",
                                             colour, series.dashed ? " dashed" : "", path));
    }
    for (const PlotPoint& point : series.points) {
      if (!Shown(point)) continue;
      if (point.low < point.high) {
        absl::StrAppend(
            &svg_, absl::StrFormat("<line class=\"s%u range\" x1=\"%.1f\" x2=\"%.1f\" "
                                   "y1=\"%.1f\" y2=\"%.1f\"/>\n",
                                   colour, X(point.x), X(point.x), Y(point.low), Y(point.high)));
      }
      absl::StrAppend(&svg_,
                      absl::StrFormat("<circle class=\"s%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\">"
                                      "<title>%s: %s</title></circle>\n",
                                      colour, X(point.x), Y(point.y), EscapeHtml(series.name),
                                      EscapeHtml(plot_.format_y(point.y))));
    }
  }

  void Legend() {
    for (size_t i = 0; i < plot_.series.size(); ++i) {
      const size_t row = i / kLegendColumns;
      const double x = kLeft + static_cast<double>(i % kLegendColumns) * (kWidth - kLeft - kRight) /
                                   static_cast<double>(kLegendColumns);
      const double y = kTop - 4 + kLegendRow * static_cast<double>(row);
      absl::StrAppend(&svg_,
                      absl::StrFormat("<circle class=\"s%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n",
                                      i % kColours, x, y - 4));
      Text(x + 9, y, "start", plot_.series[i].name);
    }
  }

  const Plot& plot_;
  bool any_ = false;
  std::vector<double> ticks_;
  double top_ = kTop;
  double label_width_ = 0, extra_ = 0;
  bool aslant_ = false;
  size_t every_ = 1;  // Of the categories' labels.
  std::string svg_;
};

}  // namespace

std::string RenderPlot(const Plot& plot) { return Drawing(plot).Render(); }

}  // namespace weir::cli
