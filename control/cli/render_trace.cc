#include "control/cli/render_trace.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/str_cat.h"

namespace weir::cli {
namespace {

constexpr size_t kColumns = 6;
using TraceRow = std::array<std::string, kColumns>;

const char* VerdictText(policy::v1::Verdict verdict) {
  switch (verdict) {
    case policy::v1::PASSED:
      return "passed";
    case policy::v1::REDUCED:
      return "reduced";
    case policy::v1::REFUSED:
      return "REFUSED";
    case policy::v1::NOT_MATCHED:
      return "no match";
    case policy::v1::NOT_JUDGED:
      return "not judged";
    default:
      return "?";
  }
}

TraceRow ToRow(const policy::v1::TraceStep& step) {
  std::string rule = step.rule();
  if (!step.profile().empty()) absl::StrAppend(&rule, " (", step.profile(), ")");
  return {step.stage(), VerdictText(step.verdict()), rule, step.field(), step.value(),
          step.limit()};
}

}  // namespace

std::string RenderTrace(const policy::v1::Trace& trace, const std::string& indent) {
  if (trace.steps().empty()) return "";
  std::vector<TraceRow> rows{{"STAGE", "VERDICT", "RULE", "FIELD", "VALUE", "LIMIT"}};
  for (const policy::v1::TraceStep& step : trace.steps()) rows.push_back(ToRow(step));
  std::array<size_t, kColumns> widths{};
  for (const TraceRow& row : rows) {
    for (size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string line = indent;
    for (size_t i = 0; i < kColumns; ++i) {
      absl::StrAppend(&line, rows[r][i], std::string(widths[i] - rows[r][i].size() + 2, ' '));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
    if (r == 0) continue;
    for (const policy::v1::Sentence& sentence : trace.steps(static_cast<int>(r) - 1).serves()) {
      absl::StrAppend(&text, indent, "  serves ", sentence.document(), ": \"", sentence.text(),
                      "\"\n");
    }
  }
  return text;
}

}  // namespace weir::cli
