// weir report: what the released records say, all together.
#ifndef WEIR_CONTROL_CLI_REPORT_COMMAND_H_
#define WEIR_CONTROL_CLI_REPORT_COMMAND_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/cli/command.h"

namespace weir::cli {

struct ReportOptions {
  std::string since;
  std::string until;
  std::vector<std::string> by;  // "time", "prefix", "asn"; none: all.
  std::string experiment;
  std::string html;    // Write the page there.
  std::string server;  // Empty: this node.
  std::string ca;
  bool plaintext = false;
};
ExitCode ShowReport(const Context& context, const ReportOptions& options);

// "2026-11-28", RFC 3339, or how long before now: "90m", "36h", "30d". ns since the epoch.
std::optional<uint64_t> ParseDay(std::string_view text, int64_t now_unix_ns);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_REPORT_COMMAND_H_
