#include "control/cli/private_pair.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/cli/admin_client.h"
#include "control/cli/pair_guard.h"

namespace weir::cli {
namespace {

constexpr int kDataplaneTimeoutMs = 15'000;
constexpr int kDaemonExitUsage = 2;

// Admits nobody; keeps what its own tests measure until the directory is removed.
constexpr char kPolicy[] = R"(profile: "lab"
export { name: "own-tests" effect: ALLOW address: "full" release_class: "operator_only" }
)";

// Nobody else can ask: there is no public API.
constexpr char kBenchRule[] =
    R"(admission { name: "own-bench" effect: ALLOW limit { allow_rate_max: true } }
)";
// More than any worker can do: what is measured is the worker.
constexpr char kBenchBudget[] = "port { name: \"data\" budget_bps: 1000000000000000 }\n";

std::string Owner() {
  const passwd* user = getpwuid(getuid());
  char host[256] = {};
  if (gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
  return absl::StrCat(user != nullptr ? user->pw_name : std::to_string(getuid()), "@",
                      host[0] != '\0' ? host : "localhost");
}

std::string QuoteText(const std::string& text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

bool WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  return static_cast<bool>(file.flush());
}

}  // namespace

std::variant<std::unique_ptr<PrivatePair>, Failure> PrivatePair::Start(const std::string& device,
                                                                       const Interrupt& interrupt,
                                                                       const Options& options) {
  std::unique_ptr<PrivatePair> pair(new PrivatePair);
  std::error_code error;
  std::string name = (std::filesystem::temp_directory_path(error) / "weir-XXXXXX").string();
  if (error || mkdtemp(name.data()) == nullptr) {
    return Failure{
        ExitCode::kLocal,
        absl::StrCat("cannot make a temporary directory: ", std::strerror(errno), "; set TMPDIR")};
  }
  pair->directory_ = name;
  if (!pair->WriteFiles(options) || !pair->SpawnGuard(device)) {
    std::filesystem::remove_all(name, error);
    return Failure{ExitCode::kLocal,
                   absl::StrCat("cannot prepare ", name, ": ", std::strerror(errno))};
  }
  std::string report = pair->AwaitReport(interrupt, -1);
  if (report == "ready") report = pair->AwaitDataplane(interrupt);
  if (interrupt.requested()) return Failure{ExitCode::kAborted, "interrupted; nothing was sent"};
  if (!report.empty()) return pair->Explain(device, report);
  return pair;
}

Failure PrivatePair::Explain(const std::string& device, const std::string& report) const {
  std::istringstream words(report);
  std::string failed, daemon;
  int code = 0;
  if (!(words >> failed >> daemon >> code)) {
    return {ExitCode::kLocal,
            absl::StrCat("--port ", device, ": the dataplane is not ready (", report, "):\n",
                         LogTail("weir-dataplane"), LogTail("weir-control"))};
  }
  // weir-dataplane and weir-nic agree that 2 is a device they were not meant to be given.
  const bool usage = daemon != "weir-control" && code == kDaemonExitUsage;
  return {usage ? ExitCode::kUsage : ExitCode::kLocal,
          absl::StrCat("--port ", device, ": ", daemon, " failed (exit code ", code, "):\n",
                       LogTail(daemon))};
}

PrivatePair::~PrivatePair() {
  if (life_fd_ >= 0) close(life_fd_);
  if (report_fd_ >= 0) close(report_fd_);
  if (guard_ > 0) waitpid(guard_, nullptr, 0);
}

bool PrivatePair::WriteFiles(const Options& options) const {
  const std::string owner = QuoteText(Owner());
  std::string config = absl::StrCat("operator: ", owner, "\ncontact: ", owner,
                                    "\npolicy_file: \"policy.textproto\"\nstore: \"weir.db\"\n"
                                    "dataplane_socket: \"dataplane.sock\"\n"
                                    "admin_socket: \"admin.sock\"\n");
  if (!options.calibration_file.empty()) {
    absl::StrAppend(&config, "calibration_file: ", QuoteText(options.calibration_file), "\n");
  }
  if (options.bench) config += kBenchBudget;
  return WriteFile(directory_ + "/policy.textproto",
                   absl::StrCat(kPolicy, options.bench ? kBenchRule : "")) &&
         WriteFile(directory_ + "/control.textproto", config);
}

bool PrivatePair::SpawnGuard(const std::string& device) {
  int life[2], report[2];
  if (pipe2(life, O_CLOEXEC) != 0) return false;
  life_fd_ = life[1];
  if (pipe2(report, O_CLOEXEC) != 0) {
    close(life[0]);
    return false;
  }
  report_fd_ = report[0];

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, life[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, report[1], STDOUT_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);

  std::string arguments[] = {"weir", kPairGuardArgument, directory_, device};
  char* raw[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), arguments[3].data(),
                 nullptr};
  const int result = posix_spawn(&guard_, "/proc/self/exe", &actions, &attributes, raw, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(life[0]);
  close(report[1]);
  if (result != 0) {
    guard_ = -1;
    errno = result;
  }
  return result == 0;
}

std::string PrivatePair::ReadReport() const {
  std::string line;
  for (char c; read(report_fd_, &c, 1) == 1 && c != '\n';) line += c;
  return line.empty() ? "the guard process ended" : line;
}

std::string PrivatePair::AwaitReport(const Interrupt& interrupt, int timeout_ms) const {
  pollfd fds[] = {{report_fd_, POLLIN, 0}, {interrupt.fd(), POLLIN, 0}};
  while (poll(fds, 2, timeout_ms) < 0) {
  }
  return fds[1].revents == 0 && fds[0].revents != 0 ? ReadReport() : "";
}

std::string PrivatePair::AwaitDataplane(const Interrupt& interrupt) const {
  constexpr int kStepMs = 50;
  for (int waited = 0; waited < kDataplaneTimeoutMs && !interrupt.requested(); waited += kStepMs) {
    auto admin = ConnectAdmin(admin_socket());
    if (auto* stub = std::get_if<std::unique_ptr<AdminStub>>(&admin)) {
      grpc::ClientContext call;
      SetDeadline(&call, 2);
      measurement::v1::NodeInfo node;
      if ((*stub)->GetNode(&call, {}, &node).ok() && node.dataplane_connected() &&
          node.ports_size() > 0) {
        // A link that is still coming up is worth some patience; admission says if it stays down.
        if (node.ports(0).link_up() || waited >= kDataplaneTimeoutMs / 3) return "";
      }
    }
    if (std::string report = AwaitReport(interrupt, kStepMs); !report.empty()) return report;
  }
  return "timeout";
}

std::string PrivatePair::LogTail(const std::string& daemon) const {
  constexpr size_t kLines = 8;
  std::ifstream log(directory_ + "/" + daemon + ".log");
  std::deque<std::string> lines;
  for (std::string line; std::getline(log, line);) {
    lines.push_back("  " + line + "\n");
    if (lines.size() > kLines) lines.pop_front();
  }
  return absl::StrJoin(lines, "");
}

}  // namespace weir::cli
