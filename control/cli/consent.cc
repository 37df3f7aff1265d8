#include "control/cli/consent.h"

#include <poll.h>
#include <unistd.h>

#include <string>

#include "control/cli/render_server.h"

namespace weir::cli {
namespace {

// One line from the terminal, or nothing if the person interrupts or is gone.
std::optional<std::string> ReadLine(const Interrupt& interrupt) {
  std::string line;
  while (true) {
    pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {interrupt.fd(), POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents != 0) return std::nullopt;
    char c;
    if (read(STDIN_FILENO, &c, 1) != 1) return std::nullopt;
    if (c == '\n') return line;
    line += c;
  }
}

}  // namespace

std::optional<Failure> GetConsent(const Context& context, const measurement::v1::ServerInfo& server,
                                  bool accept_notice) {
  if (server.notice().empty()) return std::nullopt;
  // A script that said yes and reads JSON has no use for the text.
  if (!(accept_notice && context.json)) context.err << RenderNotice(server, context.terminal);
  if (accept_notice) return std::nullopt;
  if (!context.terminal.interactive()) {
    return Failure{ExitCode::kUsage,
                   "the notice above must be accepted before a test; if you agree, give "
                   "--accept-notice"};
  }
  context.err << "Do you agree? [y/N] " << std::flush;
  const auto answer = ReadLine(context.interrupt);
  if (answer && (*answer == "y" || *answer == "Y" || *answer == "yes")) return std::nullopt;
  if (!answer) context.err << "\n";
  return Failure{ExitCode::kAborted, "not agreed; nothing was sent"};
}

}  // namespace weir::cli
