// The report as one page that needs nothing else: tables, plots, light and dark.
#ifndef WEIR_CONTROL_CLI_RFC2544_HTML_REPORT_H_
#define WEIR_CONTROL_CLI_RFC2544_HTML_REPORT_H_

#include <string>

#include "measurement/v1/rfc2544.pb.h"

namespace weir::cli::rfc2544 {

std::string RenderHtml(const measurement::v1::Rfc2544Report& report);

}  // namespace weir::cli::rfc2544

#endif  // WEIR_CONTROL_CLI_RFC2544_HTML_REPORT_H_
