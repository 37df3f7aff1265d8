// Plots as inline SVG: classes of the page's style, no colours of their own, no scripts.
#ifndef WEIR_CONTROL_CLI_HTML_SVG_PLOT_H_
#define WEIR_CONTROL_CLI_HTML_SVG_PLOT_H_

#include <cstdint>
#include <string>
#include <vector>

namespace weir::cli {

struct PlotPoint {
  double x = 0;  // Category index, or a value, as the plot says.
  double y = 0;
  double low = 0, high = 0;  // A range through the point if low < high.
};

struct PlotSeries {
  std::string name;
  std::vector<PlotPoint> points;
  bool dashed = false;
  bool line = true;  // Between the points.
};

struct Plot {
  std::string title, x_label, y_label;
  // Names of x 0, 1, ...; empty: x is a share, 0 to 1. Where they have no room beside each other,
  // each is written aslant, or, if they are an ordered scale, some are left out.
  std::vector<std::string> categories;
  bool ordered = false;
  bool logarithmic = false;  // The y axis; points at or below 0 are left out.
  std::string (*format_y)(double) = nullptr;
  std::vector<PlotSeries> series;
};

// A <figure>; empty if no series has a point.
std::string RenderPlot(const Plot& plot);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_HTML_SVG_PLOT_H_
