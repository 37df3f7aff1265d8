#include "control/cli/render_top.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/cli/render_list.h"
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
      Style::kBold, absl::StrFormat("%-12s %-22s %-16s %13s %15s %12s %13s %15s\n", "PORT",
                                    "DEVICE", "LINK", "RX", "RX RATE", "MISSED", "TX", "TX RATE"));
  for (const auto& port : activity.ports()) {
    const std::string link =
        !port.link_up() ? "down"
        : port.link_bps() == 0
            ? "up"
            : absl::StrCat("up ", FormatRate(static_cast<double>(port.link_bps())));
    absl::StrAppend(
        &text, absl::StrFormat("%-12s %-22s ", port.name(), port.device()),
        Alarm(terminal, absl::StrFormat("%-16s ", link), !port.link_up()),
        absl::StrFormat("%13s %15s ", FormatPacketRate(port.rx_pps()), FormatRate(port.rx_bps())),
        Alarm(terminal, absl::StrFormat("%12s ", FormatPacketRate(port.rx_missed_pps())),
              port.rx_missed_pps() > 0),
        absl::StrFormat("%13s %15s\n", FormatPacketRate(port.tx_pps()), FormatRate(port.tx_bps())));
  }
  return text;
}

std::string Workers(const NodeActivity& activity, const Terminal& terminal) {
  std::string text = terminal.Paint(
      Style::kBold,
      absl::StrFormat("%-7s %-6s %-12s %7s %14s %13s %13s %13s %10s\n", "WORKER", "LCORE", "PORT",
                      "BUSY", "CYCLES/PACKET", "RX", "TX", "REFUSED", "SLEEPS/S"));
  for (const auto& worker : activity.workers()) {
    absl::StrAppend(
        &text, absl::StrFormat("%-7u %-6u %-12s ", worker.index(), worker.lcore(), worker.port()),
        Alarm(terminal, absl::StrFormat("%6.1f%% ", 100 * worker.busy()), worker.busy() > 0.95),
        worker.cycles_per_packet() > 0 ? absl::StrFormat("%14.0f ", worker.cycles_per_packet())
                                       : absl::StrFormat("%14s ", "-"),
        absl::StrFormat("%13s %13s ", FormatPacketRate(worker.rx_pps()),
                        FormatPacketRate(worker.tx_pps())),
        Alarm(terminal, absl::StrFormat("%13s ", FormatPacketRate(worker.tx_rejected_pps())),
              worker.tx_rejected_pps() > 0),
        absl::StrFormat("%10.0f\n", worker.sleeps_per_second()));
  }
  return text;
}

std::string Drops(const NodeActivity& activity, const Terminal& terminal) {
  const auto& drops = activity.drops();
  const std::vector<std::pair<const char*, uint64_t>> causes = {
      {"of no session", drops.unknown()},           {"malformed", drops.malformed()},
      {"missed by the port", drops.port_missed()},  {"port errors", drops.port_errors()},
      {"slow path was behind", drops.punt_queue()}, {"reply limit", drops.reply_limit()},
      {"proofs refused", drops.proofs_refused()},   {"feedback refused", drops.feedback_refused()},
  };
  std::string text = terminal.Paint(Style::kBold, "DROPPED SINCE THE DATAPLANE STARTED\n");
  for (const auto& [cause, count] : causes) {
    absl::StrAppend(&text, Alarm(terminal, absl::StrFormat("%-22s %s\n", cause, FormatCount(count)),
                                 count > 0));
  }
  return text;
}

}  // namespace

std::string RenderTop(const NodeActivity& activity, const Terminal& terminal) {
  if (!activity.dataplane_connected()) {
    return terminal.Paint(Style::kRed, "the dataplane is not connected\n");
  }
  measurement::v1::ListSessionsReply sessions;
  *sessions.mutable_sessions() = activity.sessions();
  return absl::StrCat(Ports(activity, terminal), "\n", Workers(activity, terminal), "\n",
                      RenderSessions(sessions, terminal), "\n", Drops(activity, terminal));
}

}  // namespace weir::cli
