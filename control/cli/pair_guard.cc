#include "control/cli/pair_guard.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "control/cli/programs.h"

namespace weir::cli {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kStartTimeout{60};  // A NIC's link may take its time.
constexpr std::chrono::seconds kStopTimeout{5};
constexpr int kPollMs = 20;

constexpr int kNotRun = 127;

// A Ctrl-C is for `weir`, which ends the test before it lets go of us.
constexpr int kIgnored[] = {SIGINT, SIGHUP, SIGTERM, SIGPIPE};

// Hugepages that this process could have; without any the dataplane must be told.
bool HaveFreeHugepages() {
  std::error_code error;
  for (const auto& size : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    long pages = 0;
    if (std::ifstream(size.path() / "free_hugepages") >> pages && pages > 0) return true;
  }
  return false;
}

class Daemon {
 public:
  Daemon(std::string name, std::string directory)
      : name_(std::move(name)), directory_(std::move(directory)) {}

  const std::string& name() const { return name_; }

  void Start(std::vector<std::string> arguments) {
    const auto program = FindProgram(name_);
    const std::string log = directory_ + "/" + name_ + ".log";
    arguments.insert(arguments.begin(), program.value_or(name_));
    std::vector<char*> raw;
    for (std::string& argument : arguments) raw.push_back(argument.data());
    raw.push_back(nullptr);
    const pid_t guard = getpid();
    pid_ = fork();
    if (pid_ != 0) return;
    for (int signal : kIgnored) ::signal(signal, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != guard) _exit(kNotRun);
    const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, S_IRUSR | S_IWUSR);
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execv(raw[0], raw.data());
    std::fprintf(stderr, "cannot run %s: it is neither beside weir nor in PATH\n", raw[0]);
    _exit(kNotRun);
  }

  // The exit code (128 and the signal's number if one ended it) once it has ended.
  std::optional<int> Ended() {
    if (pid_ <= 0) return code_;
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
    pid_ = -1;
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return code_;
  }

  // For a program that ends by itself.
  int Wait() {
    while (!Ended()) usleep(kPollMs * 1000);
    return *code_;
  }

  void Stop() {
    for (int signal : {SIGTERM, SIGKILL}) {
      if (Ended()) return;
      kill(pid_, signal);
      const auto deadline = steady_clock::now() + kStopTimeout;
      while (!Ended() && steady_clock::now() < deadline) usleep(kPollMs * 1000);
    }
  }

 private:
  const std::string name_;
  const std::string directory_;
  pid_t pid_ = -1;
  std::optional<int> code_ = kNotRun;
};

// True when standard input's other end has closed: `weir` has ended.
bool Abandoned(int timeout_ms) {
  pollfd life = {STDIN_FILENO, POLLIN, 0};
  if (poll(&life, 1, timeout_ms) <= 0) return false;
  char byte;
  return read(STDIN_FILENO, &byte, 1) <= 0;
}

void Report(const std::string& line) {
  [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, line.data(), line.size());
}

bool IsSocket(const std::string& path) {
  struct stat info = {};
  return stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
}

void ReportFailed(const Daemon& daemon, int code) {
  Report("failed " + daemon.name() + " " + std::to_string(code) + "\n");
}

// Waits until the daemon has made its socket. False if that will not be.
bool AwaitSocket(Daemon* daemon, const std::string& socket) {
  const auto deadline = steady_clock::now() + kStartTimeout;
  while (!IsSocket(socket)) {
    const auto code = daemon->Ended();
    if (code || steady_clock::now() > deadline) {
      ReportFailed(*daemon, code.value_or(0));
      return false;
    }
    if (Abandoned(kPollMs)) return false;
  }
  return true;
}

// The dataplane makes its socket before it opens ports, while it still may; a device that cannot
// be opened therefore ends it a moment later.
void ReportEnd(Daemon* dataplane) {
  while (!Abandoned(kPollMs)) {
    if (const auto code = dataplane->Ended()) {
      ReportFailed(*dataplane, *code);
      return;
    }
  }
}

// Starts both in order; returns when `weir` has ended or is to be told of a failure.
void StartPair(Daemon* dataplane, Daemon* control, const std::string& directory,
               const std::string& device) {
  std::vector<std::string> arguments{
      "--socket", directory + "/dataplane.sock", "--port", "data=" + device, "--flows", "1024"};
  if (!HaveFreeHugepages()) arguments.emplace_back("--no-huge");
  dataplane->Start(arguments);
  if (!AwaitSocket(dataplane, directory + "/dataplane.sock")) return;
  control->Start({"--config", directory + "/control.textproto", "--allow-plaintext"});
  if (!AwaitSocket(control, directory + "/admin.sock")) return;
  Report("ready\n");
  ReportEnd(dataplane);
}

}  // namespace

int RunPairGuard(const std::string& directory, const std::string& device) {
  setsid();
  for (int signal : kIgnored) ::signal(signal, SIG_IGN);

  // Only root may prepare a device, and only a dataplane that root started needs it given back.
  Daemon nic("weir-nic", directory);
  const bool prepare = geteuid() == 0 && FindProgram(nic.name()).has_value();
  const std::string bare_device = device.substr(0, device.find(','));
  int unprepared = 0;
  if (prepare) {
    nic.Start({"up", bare_device});
    unprepared = nic.Wait();
  }
  Daemon dataplane("weir-dataplane", directory);
  Daemon control("weir-control", directory);
  if (unprepared == 0) {
    StartPair(&dataplane, &control, directory, device);
  } else {
    ReportFailed(nic, unprepared);
  }
  while (!Abandoned(-1)) {
  }
  control.Stop();
  dataplane.Stop();
  if (prepare) {
    nic.Start({"down", bare_device});
    nic.Wait();
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  return 0;
}

}  // namespace weir::cli
