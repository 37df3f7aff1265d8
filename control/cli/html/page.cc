#include "control/cli/html/page.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

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
figure { margin: 1.5rem 0; overflow-x: auto; } figcaption { font-weight: 600; }
svg { width: 100%; min-width: 42rem; height: auto; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; stroke: none; }
.grid { stroke: var(--faint); } .line { fill: none; stroke-width: 2; } .dashed { stroke-dasharray: 5 4; }
.range { stroke-width: 2; opacity: .55; }
.s0 { stroke: var(--c0); fill: var(--c0); } .s1 { stroke: var(--c1); fill: var(--c1); }
.s2 { stroke: var(--c2); fill: var(--c2); } .s3 { stroke: var(--c3); fill: var(--c3); }
.s4 { stroke: var(--c4); fill: var(--c4); } .s5 { stroke: var(--c5); fill: var(--c5); }
.s6 { stroke: var(--c6); fill: var(--c6); } .s7 { stroke: var(--c7); fill: var(--c7); }
.line { fill: none; }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure { break-inside: avoid; } }
)";

}  // namespace

std::string HtmlPage(const std::string& title, const std::string& body) {
  return absl::StrCat(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
      EscapeHtml(title), "</title><style>", kStyle, "</style></head><body>\n<h1>",
      EscapeHtml(title), "</h1>\n", body, "</body></html>\n");
}

std::string EscapeHtml(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string HtmlRow(const std::vector<std::string>& cells, const char* tag) {
  std::string row = "<tr>";
  for (const std::string& cell : cells) absl::StrAppend(&row, "<", tag, ">", cell, "</", tag, ">");
  return row + "</tr>\n";
}

std::string HtmlTable(const std::vector<std::string>& head, const std::string& rows) {
  return absl::StrCat("<div class=\"scroll\"><table><thead>", HtmlRow(head, "th"),
                      "</thead><tbody>\n", rows, "</tbody></table></div>\n");
}

std::string HtmlFact(const std::string& name, const std::string& value) {
  return absl::StrCat("<tr><th>", EscapeHtml(name), "</th><td>", EscapeHtml(value), "</td></tr>\n");
}

std::string AxisNumber(double value) {
  return value >= 1000 ? FormatCount(static_cast<uint64_t>(value)) : absl::StrFormat("%.4g", value);
}

std::string AxisNs(double ns) {
  if (ns >= 1e9) return absl::StrFormat("%.4g s", ns / 1e9);
  if (ns >= 1e6) return absl::StrFormat("%.4g ms", ns / 1e6);
  return ns >= 1e3 ? absl::StrFormat("%.4g us", ns / 1e3) : absl::StrFormat("%.4g ns", ns);
}

std::string AxisBps(double bps) {
  if (bps >= 1e9) return absl::StrFormat("%.4g Gbit/s", bps / 1e9);
  if (bps >= 1e6) return absl::StrFormat("%.4g Mbit/s", bps / 1e6);
  return bps >= 1e3 ? absl::StrFormat("%.4g kbit/s", bps / 1e3)
                    : absl::StrFormat("%.4g bit/s", bps);
}

absl::Status WritePage(const char* flag, const std::string& path, const std::string& page) {
  std::ofstream file(path, std::ios::trunc);
  file << page << std::flush;
  return file.good() ? absl::OkStatus()
                     : absl::InternalError(absl::StrCat(flag, ": cannot write ", path));
}

}  // namespace weir::cli
