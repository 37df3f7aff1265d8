#include "control/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace weir::cli {
namespace {

const char* Code(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kBold:
      return "\033[1m";
    case Style::kDim:
      return "\033[2m";
    case Style::kRed:
      return "\033[31m";
    case Style::kGreen:
      return "\033[32m";
    case Style::kYellow:
      return "\033[33m";
  }
  return "";
}

size_t Columns() {
  winsize size = {};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

Terminal Terminal::Detect() {
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  const bool capable = term != nullptr && std::string_view(term) != "dumb";
  const bool output = isatty(STDOUT_FILENO) != 0;
  const bool error = isatty(STDERR_FILENO) != 0;
  return Terminal(output && capable && (no_color == nullptr || *no_color == '\0'),
                  output && error && capable, isatty(STDIN_FILENO) != 0 && error);
}

std::string Terminal::Paint(Style style, std::string_view text) const {
  if (!colour_ || style == Style::kPlain) return std::string(text);
  return absl::StrCat(Code(style), std::string(text), "\033[0m");
}

void Terminal::ShowLine(std::string_view text) {
  if (!live_) return;
  // A line that wraps could not be taken back.
  const std::string line(text.substr(0, Columns() - 1));
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
  shown_ = true;
}

void Terminal::ClearLine() {
  if (!shown_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace weir::cli
