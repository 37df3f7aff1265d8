// A report as a page with plots.
#ifndef WEIR_CONTROL_CLI_REPORT_PAGE_H_
#define WEIR_CONTROL_CLI_REPORT_PAGE_H_

#include <string>

#include "measurement/v1/report.pb.h"

namespace weir::cli {

std::string RenderReportPage(const measurement::v1::PublicReport& report);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_REPORT_PAGE_H_
