// What the terminal can do, and the one line that lives on it.
#ifndef WEIR_CONTROL_CLI_TERMINAL_H_
#define WEIR_CONTROL_CLI_TERMINAL_H_

#include <string>
#include <string_view>

namespace weir::cli {

enum class Style { kPlain, kBold, kDim, kRed, kGreen, kYellow };

class Terminal {
 public:
  // Standard output decides about colour (https://no-color.org is honoured); the live line goes
  // to standard error, and only if both are terminals.
  static Terminal Detect();
  Terminal(bool colour, bool live, bool interactive)
      : colour_(colour), live_(live), interactive_(interactive) {}

  bool live() const { return live_; }
  bool interactive() const { return interactive_; }  // Somebody can answer a question.

  std::string Paint(Style style, std::string_view text) const;

  // Replaces the live line. Does nothing when there is none.
  void ShowLine(std::string_view text);
  void ClearLine();

 private:
  bool colour_;
  bool live_;
  bool interactive_;
  bool shown_ = false;
};

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_TERMINAL_H_
