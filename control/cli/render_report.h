// A report as a table, and the words its page shares with it.
#ifndef WEIR_CONTROL_CLI_RENDER_REPORT_H_
#define WEIR_CONTROL_CLI_RENDER_REPORT_H_

#include <string>
#include <vector>

#include "control/cli/terminal.h"
#include "measurement/v1/report.pb.h"

namespace weir::cli {

// At most 80 columns wide.
std::string RenderReport(const measurement::v1::PublicReport& report, const Terminal& terminal);

// "By time: hours of UTC".
std::string TableTitle(const measurement::v1::ReportTable& table);
// "2026-11-28 10:00", "week of 2026-11-23", "192.0.2.0/24".
std::string GroupName(const measurement::v1::ReportTable& table,
                      const measurement::v1::ReportGroup& group);
std::string FormatShare(double share);  // "0.012 %".
// What is counted in no table, and how everything is to be read.
std::vector<std::string> ReportNotes(const measurement::v1::PublicReport& report);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_RENDER_REPORT_H_
