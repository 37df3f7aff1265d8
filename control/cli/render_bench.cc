#include "control/cli/render_bench.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/cli/render_result.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

using record::v1::DirectionResult;
using record::v1::Interval;

constexpr double kPreambleAndGap = 8 + 12;

std::string BenchRow(const char* name, const std::string& value) {
  return absl::StrFormat("  %-15s %s\n", name, value);
}

double Seconds(uint64_t ns) { return static_cast<double>(ns) / 1e9; }

// Packets/s at the achieved rate: of the packets there were, each of their mean size.
double PacketRate(const DirectionResult& result, double frame_bytes) {
  return frame_bytes > 0 ? result.achieved_ethernet_bps() / 8 / frame_bytes : 0;
}

double IntervalPacketRate(uint64_t packets, const Interval& interval) {
  return interval.length_ns() == 0 ? 0
                                   : static_cast<double>(packets) / Seconds(interval.length_ns());
}

}  // namespace

std::string RenderBenchHead(record::v1::Ends ends, const Terminal& terminal) {
  return terminal.Paint(
      Style::kDim,
      ends == record::v1::ENDS_SENDER
          ? absl::StrFormat("  %-9s %14s %12s %14s %12s\n", "seconds", "rate IP", "packets/s",
                            "sent", "unsent")
          : absl::StrFormat("  %-9s %14s %12s %10s %6s %6s %4s %10s\n", "seconds", "rate IP",
                            "packets/s", "received", "lost", "reord.", "dup", "jitter"));
}

std::string RenderBenchRow(record::v1::Ends ends, const Interval& interval) {
  const double begin = Seconds(interval.start_ns());
  const std::string seconds =
      absl::StrFormat("%.1f-%.1f", begin, begin + Seconds(interval.length_ns()));
  if (ends == record::v1::ENDS_SENDER) {
    return absl::StrFormat("  %-9s %14s %12s %14s %12s\n", seconds, FormatRate(interval.ip_bps()),
                           FormatPacketRate(IntervalPacketRate(interval.sent(), interval)),
                           FormatCount(interval.sent()), FormatCount(interval.unsent()));
  }
  return absl::StrFormat("  %-9s %14s %12s %10s %6s %6s %4s %10s\n", seconds,
                         FormatRate(interval.ip_bps()),
                         FormatPacketRate(IntervalPacketRate(interval.received(), interval)),
                         FormatCount(interval.received()), FormatCount(interval.lost()),
                         FormatCount(interval.reordered()), FormatCount(interval.duplicated()),
                         FormatDurationNs(interval.jitter_ns()));
}

std::string RenderBenchResult(const DirectionResult& result, const Terminal& terminal) {
  const bool sender = result.ends() == record::v1::ENDS_SENDER;
  std::string text = absl::StrCat(
      terminal.Paint(Style::kBold, sender ? "GENERATED" : "SUNK"),
      sender ? "  as this node's port accepted it\n" : "  as this node received it\n",
      BenchRow("rate", absl::StrCat(FormatRate(result.achieved_ip_bps()), " IP, ",
                                    FormatRate(result.achieved_ethernet_bps()), " Ethernet")));
  if (sender) {
    absl::StrAppend(
        &text,
        BenchRow("packets", absl::StrCat("sent ", FormatCount(result.sent()), ", unsent ",
                                         FormatCount(result.unsent()), ", refused by the port ",
                                         FormatCount(result.sender_port_rejected()), " times")),
        BenchRow("busy", absl::StrFormat("%.0f %%", 100 * result.sender_busy())));
  } else {
    absl::StrAppend(&text, RenderReceived(result, terminal),
                    BenchRow("busy", absl::StrFormat("%.0f %%, the port missed %s packets",
                                                     100 * result.receiver_busy(),
                                                     FormatCount(result.receiver_port_missed()))));
  }
  return text + RenderLimit(result, terminal);
}

std::string RenderBenchSummary(const std::vector<BenchTrial>& trials,
                               const measurement::v1::BenchReport& report,
                               const Terminal& terminal) {
  std::string text = terminal.Paint(
      Style::kBold, absl::StrFormat("%-7s %14s %15s %17s %15s %14s %14s %12s  %s\n", "FRAME",
                                    "PACKETS/S", "RATE IP", "RATE ETHERNET", "ON THE WIRE", "SENT",
                                    "RECEIVED", "LOST", "END"));
  for (int i = 0; i < report.trials_size(); ++i) {
    const measurement::v1::TestResult& trial = report.trials(i);
    if (trial.results().empty()) continue;
    const DirectionResult& result = trial.results(0);
    const double frame = static_cast<size_t>(i) < trials.size() ? trials[i].frame_bytes : 0;
    const double pps = PacketRate(result, frame);
    const bool sender = result.ends() == record::v1::ENDS_SENDER;
    absl::StrAppend(
        &text,
        absl::StrFormat(
            "%-7s %14s %15s %17s %15s %14s %14s %12s  %s\n",
            frame > 0 ? absl::StrCat(frame) : std::string("-"),
            frame > 0 ? FormatPacketRate(pps) : std::string("-"),
            FormatRate(result.achieved_ip_bps()), FormatRate(result.achieved_ethernet_bps()),
            frame > 0 ? FormatRate(result.achieved_ethernet_bps() + pps * 8 * kPreambleAndGap)
                      : std::string("-"),
            FormatCount(result.sent()), sender ? std::string("-") : FormatCount(result.received()),
            sender ? std::string("-") : FormatCount(result.lost()), trial.end_reason()));
  }
  return text;
}

}  // namespace weir::cli
