// The page that reports are: one file, no scripts, nothing from elsewhere, light and dark.
#ifndef WEIR_CONTROL_CLI_HTML_PAGE_H_
#define WEIR_CONTROL_CLI_HTML_PAGE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace weir::cli {

// A whole document around `body`, with the style that tables and plots rely on.
std::string HtmlPage(const std::string& title, const std::string& body);

std::string EscapeHtml(const std::string& text);

// Cells are HTML already.
std::string HtmlRow(const std::vector<std::string>& cells, const char* tag = "td");
std::string HtmlTable(const std::vector<std::string>& head, const std::string& rows);
// A row of a table of class "facts": name and value are text.
std::string HtmlFact(const std::string& name, const std::string& value);

// Round values of axes, without the digits of measured ones.
std::string AxisNumber(double value);
std::string AxisNs(double ns);
std::string AxisBps(double bps);

// Replaces the file. The error names the flag that asked for it and the path.
absl::Status WritePage(const char* flag, const std::string& path, const std::string& page);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_HTML_PAGE_H_
