#include "control/cli/render_server.h"

#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "control/cli/render_trace.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

std::string Row(const Terminal& terminal, const char* name, const std::string& value) {
  return absl::StrCat(terminal.Paint(Style::kBold, absl::StrFormat("%-12s", name)), value, "\n");
}

std::string Allows(const measurement::v1::Limits& limits) {
  std::vector<std::string> parts;
  if (limits.max_rate_bps() != 0) {
    parts.push_back(FormatRate(static_cast<double>(limits.max_rate_bps())));
  }
  if (limits.max_duration_ns() != 0) {
    parts.push_back(FormatDurationNs(static_cast<double>(limits.max_duration_ns())));
  }
  if (limits.max_streams() != 0) parts.push_back(absl::StrCat(limits.max_streams(), " streams"));
  if (limits.max_udp_payload_bytes() != 0) {
    parts.push_back(absl::StrCat("payload ", limits.min_udp_payload_bytes(), " to ",
                                 limits.max_udp_payload_bytes(), " bytes"));
  }
  return parts.empty() ? "" : absl::StrCat("at most ", absl::StrJoin(parts, ", "));
}

std::string Clock(const measurement::v1::ClockQuality& clock) {
  return clock.synchronised()
             ? absl::StrCat("synchronised, error at most ",
                            FormatDurationNs(static_cast<double>(clock.max_error_ns())))
             : "not synchronised: one-way delays are relative";
}

}  // namespace

std::string Wrap(const std::string& text, const std::string& indent, size_t width) {
  std::string result, line;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (!line.empty() && indent.size() + line.size() + 1 + word.size() > width) {
      absl::StrAppend(&result, indent, line, "\n");
      line.clear();
    }
    absl::StrAppend(&line, line.empty() ? "" : " ", word);
  }
  if (!line.empty()) absl::StrAppend(&result, indent, line, "\n");
  return result;
}

std::string RenderServer(const measurement::v1::ServerInfo& server, const Terminal& terminal) {
  std::string text = Row(terminal, "Server", absl::StrCat(server.node(), ", ", server.software()));
  absl::StrAppend(
      &text, Row(terminal, "Operator", server.operator_()),
      Row(terminal, "Contact", server.contact()),
      Row(terminal, "Policy", absl::StrCat(server.profile(), ", ", server.policy_digest())));
  if (const std::string allows = Allows(server.limits()); !allows.empty()) {
    absl::StrAppend(&text, Row(terminal, "Allows", allows));
  }
  if (server.limits().budget_bps() != 0) {
    absl::StrAppend(&text,
                    Row(terminal, "Budget",
                        absl::StrCat(FormatRate(static_cast<double>(server.limits().budget_bps())),
                                     " for all sessions together")));
  }
  for (const auto& address : server.addresses()) {
    absl::StrAppend(&text, Row(terminal, "Address",
                               absl::StrCat(address.ip(), " (port ", address.port(), ")")));
  }
  absl::StrAppend(&text, Row(terminal, "Clock", Clock(server.clock())));
  return text;
}

std::string RenderNode(const measurement::v1::NodeInfo& node, const Terminal& terminal) {
  std::string text = RenderServer(node.server(), terminal);
  absl::StrAppend(
      &text,
      Row(terminal, "Listens", node.listen().empty() ? "no public API: asks only" : node.listen()),
      Row(terminal, "Sessions",
          absl::StrCat(node.sessions_active(), " active", node.draining() ? ", draining" : "")),
      Row(terminal, "Records", absl::StrCat(FormatCount(node.records_stored()), " stored")),
      Row(terminal, "Dataplane",
          node.dataplane_connected() ? absl::StrCat("connected, ", node.dataplane_software())
                                     : terminal.Paint(Style::kRed, "not connected")));
  if (node.ports_size() == 0) return text;
  absl::StrAppend(&text, "\n",
                  absl::StrFormat("%-10s %-24s %-5s %-5s %-14s %-20s %-28s %s\n", "PORT", "DEVICE",
                                  "LINK", "MTU", "RATE", "IPV4", "IPV6", "RX / TX PACKETS"));
  for (const auto& port : node.ports()) {
    absl::StrAppend(
        &text, absl::StrFormat(
                   "%-10s %-24s %-5s %-5u %-14s %-20s %-28s %s / %s", port.name(), port.device(),
                   port.link_up() ? "up" : "down", port.mtu(),
                   port.link_bps() == 0 ? std::string("unknown")
                                        : FormatRate(static_cast<double>(port.link_bps())),
                   port.ip4().empty() ? "-" : port.ip4(), port.ip6().empty() ? "-" : port.ip6(),
                   FormatCount(port.rx_packets()), FormatCount(port.tx_packets())));
    const uint64_t faults = port.rx_missed() + port.rx_errors() + port.tx_errors();
    if (faults != 0) {
      absl::StrAppend(&text, " (missed ", port.rx_missed(), ", errors ", port.rx_errors(), " / ",
                      port.tx_errors(), ")");
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string RenderNotice(const measurement::v1::ServerInfo& server, const Terminal& terminal) {
  if (server.notice().empty()) return "";
  return absl::StrCat(
      terminal.Paint(Style::kBold, absl::StrCat("What ", server.node(), " (", server.operator_(),
                                                ", ", server.contact(), ") collects")),
      "\n", Wrap(server.notice(), "  "), "\n");
}

std::string RenderRejection(const measurement::v1::Rejection& rejection, const Terminal& terminal) {
  std::string text = absl::StrCat(
      terminal.Paint(Style::kRed, absl::StrCat("Refused by rule \"", rejection.rule(), "\"")),
      " (stage ", rejection.stage());
  if (!rejection.field().empty()) absl::StrAppend(&text, ", field ", rejection.field());
  absl::StrAppend(&text, ")\n", Wrap(rejection.message(), "  "));
  absl::StrAppend(&text, RenderTrace(rejection.trace(), "  "));
  if (!rejection.operator_().empty()) {
    absl::StrAppend(&text, "  Operator: ", rejection.operator_(),
                    ", contact: ", rejection.contact(), "\n");
  }
  return text;
}

}  // namespace weir::cli
