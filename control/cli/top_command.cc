#include "control/cli/top_command.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "control/cli/activity_rates.h"
#include "control/cli/json.h"
#include "control/cli/render_top.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

using measurement::v1::NodeActivity;

constexpr uint64_t kShortestNs = 100'000'000;
constexpr uint64_t kLongestNs = 3'600'000'000'000;
constexpr int kDeadline = 10;  // Seconds.

// The whole screen, and single keys, for as long as it lives. What was on the screen comes back.
class Screen {
 public:
  explicit Screen(std::ostream& out) : out_(out) {
    keys_ = tcgetattr(STDIN_FILENO, &before_) == 0;
    if (keys_) {
      termios raw = before_;
      raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    out_ << "\033[?1049h\033[?25l";
  }
  ~Screen() {
    out_ << "\033[?25h\033[?1049l" << std::flush;
    if (keys_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  bool keys() const { return keys_; }
  // Line over line, so that nothing flickers; what has no room below is left out.
  void Show(const std::string& text) {
    winsize size = {};
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1;
    const size_t rows = known ? size.ws_row : SIZE_MAX;
    out_ << "\033[H";
    size_t at = 0;
    for (size_t row = 1; row < rows && at < text.size(); ++row) {
      const size_t end = std::min(text.find('\n', at), text.size());
      out_ << text.substr(at, end - at) << "\033[K\n";
      at = end + 1;
    }
    out_ << "\033[J" << std::flush;
  }

 private:
  std::ostream& out_;
  termios before_ = {};
  bool keys_ = false;
};

// False: the person has had enough.
bool Wait(const Interrupt& interrupt, bool keys, uint64_t ns) {
  pollfd fds[] = {{interrupt.fd(), POLLIN, 0}, {keys ? STDIN_FILENO : -1, POLLIN, 0}};
  if (poll(fds, 2, static_cast<int>(ns / 1'000'000)) <= 0) return true;
  if (fds[0].revents != 0) return false;
  char key = 'q';  // As if standard input had ended.
  return read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q';
}

std::optional<Failure> Look(AdminStub* admin, NodeActivity* activity) {
  grpc::ClientContext call;
  SetDeadline(&call, kDeadline);
  activity->Clear();
  const grpc::Status status = admin->GetActivity(&call, {}, activity);
  if (status.ok()) return std::nullopt;
  return ExplainStatus(status, "cannot look at this node");
}

}  // namespace

ExitCode RunTop(const Context& context, const TopOptions& options) {
  const auto interval = ParseDurationNs(options.interval);
  if (!interval.ok() || *interval < kShortestNs || *interval > kLongestNs) {
    return Report(context, {ExitCode::kUsage, absl::StrCat("--interval: \"", options.interval,
                                                           "\"; allowed: 100ms to 1h")});
  }
  auto connected = ConnectAdmin(context.admin);
  if (const auto* failure = std::get_if<Failure>(&connected)) return Report(context, *failure);
  AdminStub* admin = std::get<std::unique_ptr<AdminStub>>(connected).get();

  const bool once = options.once || (!context.json && !context.terminal.live());
  std::unique_ptr<Screen> screen;
  if (!once && !context.json) screen = std::make_unique<Screen>(context.out);
  NodeActivity before;
  if (auto failure = Look(admin, &before)) {
    screen.reset();
    return Report(context, *failure);
  }
  if (screen != nullptr) screen->Show("looking...\n");
  while (Wait(context.interrupt, screen != nullptr && screen->keys(), *interval)) {
    NodeActivity now;
    if (auto failure = Look(admin, &now)) {
      screen.reset();
      return Report(context, *failure);
    }
    TakeRates(before, &now);
    if (context.json) {
      context.out << ToJson(now) << std::endl;
    } else if (screen != nullptr) {
      screen->Show(RenderTop(now, context.terminal) + "\nq quits\n");
    } else {
      context.out << RenderTop(now, context.terminal) << std::flush;
    }
    if (once) break;
    before = std::move(now);
  }
  return ExitCode::kOk;
}

}  // namespace weir::cli
