#include "control/cli/render_result.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "control/cli/render_bench.h"
#include "control/cli/render_server.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

using record::v1::DirectionResult;

constexpr size_t kValueColumn = 18;  // Of Row.
constexpr size_t kResultColumns = 79;

std::string Row(const char* name, const std::string& value) {
  return absl::StrFormat("  %-15s %s\n", name, value);
}

std::string Share(uint64_t part, uint64_t whole) {
  if (part == 0 || whole == 0) return "";
  return absl::StrFormat(" (%.4g %%)",
                         100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

// Loss, reordering and the like are what people look for: marked when they are there.
std::string Marked(const Terminal& terminal, const char* name, uint64_t count, uint64_t whole) {
  const std::string text = absl::StrCat(name, " ", FormatCount(count), Share(count, whole));
  return count == 0 ? text : terminal.Paint(Style::kYellow, text);
}

std::string Delay(const record::v1::Delay& delay) {
  const auto ns = [](int64_t value) { return FormatDurationNs(static_cast<double>(value)); };
  return absl::StrCat("min ", ns(delay.min_ns()), ", p50 ", ns(delay.p50_ns()), ", p99 ",
                      ns(delay.p99_ns()), "\n", std::string(kValueColumn, ' '), "p99.9 ",
                      ns(delay.p999_ns()), ", max ", ns(delay.max_ns()));
}

std::string Limited(const DirectionResult& result, const Terminal& terminal) {
  const bool none = result.limit() == record::v1::LIMIT_NONE;
  std::string text =
      terminal.Paint(none ? Style::kGreen : Style::kYellow, Describe(result.limit()));
  const std::string& detail = result.limit_detail();
  if (detail.empty()) return text;
  if (kValueColumn + std::string(Describe(result.limit())).size() + 2 + detail.size() <=
      kResultColumns) {
    return absl::StrCat(text, ": ", detail);
  }
  absl::StrAppend(&text, "\n", Wrap(detail, std::string(kValueColumn, ' ')));
  text.pop_back();  // Row ends the line.
  return text;
}

}  // namespace

const char* Name(record::v1::Direction direction) {
  return direction == record::v1::DOWN ? "down" : direction == record::v1::UP ? "up" : "?";
}

const char* Describe(record::v1::Limit limit) {
  switch (limit) {
    case record::v1::LIMIT_NONE:
      return "nothing";
    case record::v1::LIMIT_SENDER_CPU:
      return "the sender's CPU";
    case record::v1::LIMIT_NIC:
      return "the sender's port (NIC)";
    case record::v1::LIMIT_PATH:
      return "the path";
    case record::v1::LIMIT_RECEIVER:
      return "the receiver";
    case record::v1::LIMIT_POLICY:
      return "the policy";
    case record::v1::LIMIT_PEER:
      return "the peer";
    default:
      return "unknown";
  }
}

std::string RenderIntervals(const std::vector<record::v1::Interval>& intervals,
                            const Terminal& terminal) {
  if (intervals.empty()) return "";
  std::string text = terminal.Paint(
      Style::kDim, absl::StrFormat("  %-9s %14s %10s %10s %6s %6s %4s %10s\n", "seconds", "rate",
                                   "sent", "received", "lost", "reord.", "dup", "jitter"));
  for (const record::v1::Interval& interval : intervals) {
    const double begin = static_cast<double>(interval.start_ns()) / 1e9;
    const double end = begin + static_cast<double>(interval.length_ns()) / 1e9;
    absl::StrAppend(
        &text, absl::StrFormat(
                   "  %-9s %14s %10s %10s %6s %6s %4s %10s\n",
                   absl::StrFormat("%.1f-%.1f", begin, end), FormatRate(interval.ip_bps()),
                   FormatCount(interval.sent()), FormatCount(interval.received()),
                   FormatCount(interval.lost()), FormatCount(interval.reordered()),
                   FormatCount(interval.duplicated()), FormatDurationNs(interval.jitter_ns())));
  }
  return text;
}

std::string RenderReceived(const DirectionResult& result, const Terminal& terminal) {
  std::string text = absl::StrCat(
      Row("packets", absl::StrCat("sent ", FormatCount(result.sent()),
                                  result.ends() == record::v1::ENDS_RECEIVER
                                      ? std::string()  // Its sender alone knows.
                                      : absl::StrCat(", unsent ", FormatCount(result.unsent())),
                                  ", received ", FormatCount(result.received()))),
      Row("", absl::StrJoin({Marked(terminal, "lost", result.lost(), result.sent()),
                             Marked(terminal, "reordered", result.reordered(), result.received()),
                             Marked(terminal, "duplicated", result.duplicated(), result.received()),
                             Marked(terminal, "late", result.late(), result.received())},
                            ", ")));
  if (result.one_way_delay().samples() != 0) {
    absl::StrAppend(&text, Row("one-way delay", Delay(result.one_way_delay())),
                    Row("", result.one_way_delay().clocks_synchronised()
                                ? "clocks are synchronised"
                                : "clocks are not synchronised: only differences mean anything"));
  }
  return text + Row("jitter", FormatDurationNs(result.jitter_ns()));
}

std::string RenderLimit(const DirectionResult& result, const Terminal& terminal) {
  return Row("limited by", Limited(result, terminal));
}

std::string RenderDirection(const DirectionResult& result, const Terminal& terminal) {
  if (result.ends() != record::v1::ENDS_BOTH) {
    std::string text = RenderBenchResult(result, terminal);
    if (result.intervals_size() != 0) {
      absl::StrAppend(&text, "\n", RenderBenchHead(result.ends(), terminal));
    }
    for (const record::v1::Interval& interval : result.intervals()) {
      absl::StrAppend(&text, RenderBenchRow(result.ends(), interval));
    }
    return text;
  }
  const bool down = result.direction() == record::v1::DOWN;
  std::string text = absl::StrCat(
      terminal.Paint(Style::kBold, down ? "DOWN" : "UP"),
      down ? "  server to client\n" : "  client to server\n",
      Row("admitted", absl::StrCat(FormatRate(result.admitted_ip_bps()), " IP")),
      Row("achieved", absl::StrCat(FormatRate(result.achieved_ip_bps()), " IP, ",
                                   FormatRate(result.achieved_ethernet_bps()), " Ethernet")),
      RenderReceived(result, terminal));
  if (result.receiver_port_missed() != 0 || result.sender_port_rejected() != 0) {
    absl::StrAppend(
        &text, Row("ports",
                   absl::StrCat("sender rejected ", FormatCount(result.sender_port_rejected()),
                                ", receiver missed ", FormatCount(result.receiver_port_missed()))));
  }
  absl::StrAppend(
      &text,
      Row("busy", absl::StrFormat("sender %.0f %%, receiver %.0f %%", 100 * result.sender_busy(),
                                  100 * result.receiver_busy())),
      RenderLimit(result, terminal));
  if (result.intervals_size() != 0) {
    absl::StrAppend(
        &text, "\n",
        RenderIntervals({result.intervals().begin(), result.intervals().end()}, terminal));
  }
  return text;
}

std::string RenderResult(const measurement::v1::TestResult& result, const Terminal& terminal) {
  std::string text;
  for (const DirectionResult& direction : result.results()) {
    absl::StrAppend(&text, RenderDirection(direction, terminal), "\n");
  }
  const bool aborted = result.outcome() != record::v1::COMPLETED;
  absl::StrAppend(&text, absl::StrFormat("%-10s %s (%s)\n", "outcome",
                                         aborted ? terminal.Paint(Style::kRed, "aborted")
                                                 : terminal.Paint(Style::kGreen, "completed"),
                                         result.end_reason()));
  absl::StrAppend(&text, "policy\n  ", result.policy_digest(), "\n");
  for (const std::string& id : result.record_ids()) {
    absl::StrAppend(&text, absl::StrFormat("%-10s %s\n", "record", id));
  }
  return text;
}

std::string RenderProgress(const measurement::v1::TestProgress& progress, uint64_t duration_ns) {
  std::string text = progress.state();
  if (progress.elapsed_ns() != 0) {
    absl::StrAppend(&text, absl::StrFormat(" %.1f s of %.1f s",
                                           static_cast<double>(progress.elapsed_ns()) / 1e9,
                                           static_cast<double>(duration_ns) / 1e9));
  }
  for (int i = 0; i < progress.intervals_size(); ++i) {
    const record::v1::Interval& interval = progress.intervals(i);
    absl::StrAppend(&text, " | ",
                    i < progress.directions_size() ? Name(progress.directions(i)) : "", " ",
                    FormatRate(interval.ip_bps()), ", lost ", FormatCount(interval.lost()));
  }
  return text;
}

}  // namespace weir::cli
