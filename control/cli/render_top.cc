#include "control/cli/render_top.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "control/cli/html/page.h"
#include "control/cli/render_result.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

using measurement::v1::NodeActivity;

// Misses and refusals stand out when there are any.
std::string Alarm(const Terminal& terminal, const std::string& cell, bool alarm) {
  return alarm ? terminal.Paint(Style::kYellow, cell) : cell;
}

std::string Ports(const NodeActivity& activity, const Terminal& terminal) {
  std::string text = terminal.Paint(
      Style::kBold, absl::StrFormat("%-8s %-4s %11s %14s %11s %14s %11s\n", "PORT", "LINK", "RX",
                                    "RX RATE", "TX", "TX RATE", "MISSED"));
  for (const auto& port : activity.ports()) {
    absl::StrAppend(
        &text, absl::StrFormat("%-8s ", port.name()),
        Alarm(terminal, absl::StrFormat("%-4s ", port.link_up() ? "up" : "down"), !port.link_up()),
        absl::StrFormat("%11s %14s %11s %14s ", FormatPacketRate(port.rx_pps()),
                        FormatRate(port.rx_bps()), FormatPacketRate(port.tx_pps()),
                        FormatRate(port.tx_bps())),
        Alarm(terminal, absl::StrFormat("%11s\n", FormatPacketRate(port.rx_missed_pps())),
              port.rx_missed_pps() > 0));
  }
  return text;
}

std::string Workers(const NodeActivity& activity, const Terminal& terminal) {
  std::string text = terminal.Paint(
      Style::kBold, absl::StrFormat("%-6s %-5s %-8s %6s %8s %11s %11s %11s\n", "WORKER", "LCORE",
                                    "PORT", "BUSY", "CYC/PKT", "RX", "TX", "REFUSED"));
  for (const auto& worker : activity.workers()) {
    absl::StrAppend(
        &text, absl::StrFormat("%-6u %-5u %-8s ", worker.index(), worker.lcore(), worker.port()),
        Alarm(terminal, absl::StrFormat("%5.1f%% ", 100 * worker.busy()), worker.busy() > 0.95),
        worker.cycles_per_packet() > 0 ? absl::StrFormat("%8.0f ", worker.cycles_per_packet())
                                       : absl::StrFormat("%8s ", "-"),
        absl::StrFormat("%11s %11s ", FormatPacketRate(worker.rx_pps()),
                        FormatPacketRate(worker.tx_pps())),
        Alarm(terminal, absl::StrFormat("%11s\n", FormatPacketRate(worker.tx_rejected_pps())),
              worker.tx_rejected_pps() > 0));
  }
  return text;
}

// "down 200M, up 1.5G": what the sessions are granted; `weir sessions` has the rest.
std::string Sessions(const NodeActivity& activity, const Terminal& terminal) {
  if (activity.sessions().empty()) return "no sessions\n";
  std::string text =
      terminal.Paint(Style::kBold, absl::StrFormat("%-36s %-9s %s\n", "SESSION", "STATE", "LOAD"));
  for (const auto& session : activity.sessions()) {
    std::vector<std::string> loads;
    for (const auto& one : session.directions()) {
      const uint64_t bps = one.parameters().rate_bps();
      loads.push_back(absl::StrCat(Name(one.direction()), " ",
                                   bps == 0 ? "max" : AxisBps(static_cast<double>(bps))));
    }
    absl::StrAppend(&text, absl::StrFormat("%-36s %-9s %s\n", session.session_id(), session.state(),
                                           absl::StrJoin(loads, ", ")));
  }
  return text;
}

// Two of them a line.
std::string Drops(const NodeActivity& activity, const Terminal& terminal) {
  const auto& drops = activity.drops();
  const std::vector<std::pair<const char*, uint64_t>> causes = {
      {"of no session", drops.unknown()},           {"malformed", drops.malformed()},
      {"missed by the port", drops.port_missed()},  {"port errors", drops.port_errors()},
      {"slow path was behind", drops.punt_queue()}, {"reply limit", drops.reply_limit()},
      {"proofs refused", drops.proofs_refused()},   {"feedback refused", drops.feedback_refused()},
  };
  std::string text = terminal.Paint(Style::kBold, "DROPPED SINCE THE DATAPLANE STARTED\n");
  for (size_t i = 0; i < causes.size(); ++i) {
    const auto& [cause, count] = causes[i];
    const std::string cell = absl::StrFormat("%-22s %-14s", cause, FormatCount(count));
    absl::StrAppend(&text, Alarm(terminal, cell, count > 0), i % 2 == 0 ? "  " : "\n");
  }
  return text;
}

}  // namespace

std::string RenderTop(const NodeActivity& activity, const Terminal& terminal) {
  if (!activity.dataplane_connected()) {
    return terminal.Paint(Style::kRed, "the dataplane is not connected\n");
  }
  return absl::StrCat(Ports(activity, terminal), "\n", Workers(activity, terminal), "\n",
                      Sessions(activity, terminal), "\n", Drops(activity, terminal));
}

}  // namespace weir::cli
