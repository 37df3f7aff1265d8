#include "control/cli/render_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/cli/render_result.h"
#include "control/cli/render_server.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

namespace ms = measurement::v1;

constexpr uint64_t kHourNs = uint64_t{3'600} * 1'000'000'000;

using Percentile = double (*)(const ms::Distribution&);
using HasPercentile = bool (*)(const ms::Distribution&);

struct Percent {
  const char* name;
  HasPercentile has;
  Percentile get;
};
constexpr Percent kPercents[] = {
    {"p5", [](const ms::Distribution& d) { return d.has_p5(); },
     [](const ms::Distribution& d) { return d.p5(); }},
    {"p50", [](const ms::Distribution& d) { return d.has_p50(); },
     [](const ms::Distribution& d) { return d.p50(); }},
    {"p95", [](const ms::Distribution& d) { return d.has_p95(); },
     [](const ms::Distribution& d) { return d.p95(); }},
};

std::string Line(const std::string& name, const std::string& way, const std::string& tests,
                 const std::string& rank, const std::string& rate, const std::string& loss,
                 const std::string& delay, const std::string& variation) {
  return absl::StrFormat("%-18s %-4s %7s %3s %14s %8s %8s %9s\n", name, way, tests, rank, rate,
                         loss, delay, variation);
}

std::string ShortNs(double ns) {
  const bool large = ns >= 1e9, medium = ns >= 1e6, small = ns >= 1e3;
  return absl::StrFormat("%.3g %s",
                         large    ? ns / 1e9
                         : medium ? ns / 1e6
                         : small  ? ns / 1e3
                                  : ns,
                         large    ? "s"
                         : medium ? "ms"
                         : small  ? "us"
                                  : "ns");
}

// One line for each percentile that may be told of something.
std::string Lines(const ms::ReportTable& table, const ms::ReportGroup& group) {
  std::string text;
  bool first = true;
  for (const Percent& percent : kPercents) {
    const bool median = &percent == &kPercents[1];
    const auto cell = [&](const ms::Distribution& of, std::string (*format)(double)) {
      return percent.has(of) ? format(percent.get(of)) : std::string("-");
    };
    if (!median && !percent.has(group.rate_bps()) && !percent.has(group.loss_ratio()) &&
        !percent.has(group.delay_ns()) && !percent.has(group.delay_variation_ns())) {
      continue;
    }
    absl::StrAppend(
        &text, Line(first ? GroupName(table, group) : "", first ? Name(group.direction()) : "",
                    first ? FormatCount(group.records()) : "", percent.name,
                    cell(group.rate_bps(), FormatRate), cell(group.loss_ratio(), FormatShare),
                    cell(group.delay_ns(), ShortNs), cell(group.delay_variation_ns(), ShortNs)));
    first = false;
  }
  return text;
}

}  // namespace

std::string TableTitle(const ms::ReportTable& table) {
  switch (table.by()) {
    case ms::TIME:
      return absl::StrCat("By time: ",
                          table.bucket_ns() == kHourNs        ? "hours"
                          : table.bucket_ns() == 24 * kHourNs ? "days"
                                                              : "weeks",
                          " of UTC");
    case ms::PREFIX:
      return "By the client's prefix: /24 (IPv4) or /48 (IPv6)";
    default:
      return "By the client's autonomous system";
  }
}

std::string GroupName(const ms::ReportTable& table, const ms::ReportGroup& group) {
  const std::string& name = group.name();
  if (table.by() != ms::TIME || group.kind() != ms::ReportGroup::NAMED) return name;
  const std::string day = name.substr(0, 10);
  if (table.bucket_ns() == kHourNs) return absl::StrCat(day, " ", name.substr(11, 5));
  return table.bucket_ns() == 24 * kHourNs ? day : absl::StrCat("week of ", day);
}

std::string FormatShare(double share) {
  const double percent = share * 100;
  if (percent > 0 && percent < 0.001) return "<0.001 %";
  return percent < 1 && percent > 0 ? absl::StrFormat("%.3f %%", percent)
                                    : absl::StrFormat("%.3g %%", percent);
}

std::vector<std::string> ReportNotes(const ms::PublicReport& report) {
  std::vector<std::string> notes;
  if (report.aborted() != 0) {
    notes.push_back(absl::StrCat(FormatCount(report.aborted()),
                                 " tests that did not run to their end are in no table."));
  }
  if (report.withheld() != 0) {
    notes.push_back(absl::StrCat(FormatCount(report.withheld()),
                                 " records whose measurement the policy keeps from the public are "
                                 "in no table."));
  }
  notes.push_back(
      absl::StrCat("Groups of fewer than ", report.min_clients(),
                   " clients are \"other\", and no value is shown of fewer. Clients are "
                   "told apart by address; all without one count as one."));
  notes.push_back(
      "Percentiles are over tests, by nearest rank; p5 and p95 are shown where they are not the "
      "lowest or highest value.");
  notes.push_back(
      "Rate: IP-layer capacity (RFC 9097) over the whole test; of a test that reached the load it "
      "was given, a lower bound. Loss: lost of all sent (RFC 7680). Delay: a test's median one-way "
      "delay (RFC 7679), between synchronised clocks only. Variation: a test's 99th percentile of "
      "delay above its smallest (RFC 5481 PDV).");
  for (const ms::ReportTable& table : report.tables()) {
    if (table.by() == ms::ASN && !report.asn_known()) {
      notes.push_back("This node has no asn_table, so no autonomous system is known.");
    }
  }
  return notes;
}

std::string RenderReport(const ms::PublicReport& report, const Terminal& terminal) {
  std::string text = absl::StrCat(
      terminal.Paint(Style::kBold, absl::StrCat("Tests of ", report.node())), ", from ",
      report.since(), " to ", report.until(),
      report.experiment().empty() ? "" : absl::StrCat(", experiment ", report.experiment()), "\n",
      FormatCount(report.records()),
      report.records() == 1 ? " released record" : " released records", "\n");
  for (const ms::ReportTable& table : report.tables()) {
    absl::StrAppend(&text, "\n", terminal.Paint(Style::kBold, TableTitle(table)), "\n");
    if (table.groups().empty()) {
      absl::StrAppend(&text, "no tests\n");
      continue;
    }
    text += terminal.Paint(Style::kDim,
                           Line("", "WAY", "TESTS", "", "RATE", "LOSS", "DELAY", "VARIATION"));
    for (const ms::ReportGroup& group : table.groups()) text += Lines(table, group);
  }
  text += "\n";
  for (const std::string& note : ReportNotes(report)) {
    std::string wrapped = Wrap(note, "  ");
    wrapped.front() = '-';
    text += wrapped;
  }
  return text;
}

}  // namespace weir::cli
