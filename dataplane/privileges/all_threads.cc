#include "dataplane/privileges/all_threads.h"

#include <dirent.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

namespace weir::dataplane {
namespace {

std::atomic<int (*)()> g_action{nullptr};
std::atomic<int> g_answers{0};
std::atomic<int> g_failure{0};

void OnSignal(int) {
  const int saved = errno;
  const int failure = g_action.load()();
  if (failure != 0) g_failure.store(failure);
  g_answers.fetch_add(1);
  errno = saved;
}

}  // namespace

Status RunOnAllThreads(int (*action)()) {
  const int signal_number = SIGRTMAX - 1;
  g_action.store(action);
  g_answers.store(0);
  g_failure.store(0);
  struct sigaction handler {};
  struct sigaction previous {};
  handler.sa_handler = OnSignal;
  handler.sa_flags = SA_RESTART;
  sigaction(signal_number, &handler, &previous);

  int asked = 0;
  const auto self = static_cast<int>(syscall(SYS_gettid));
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(opendir("/proc/self/task"), closedir);
  if (tasks == nullptr) {
    return Error{v1::INTERNAL, "", std::string("/proc/self/task: ") + std::strerror(errno)};
  }
  while (const dirent* entry = readdir(tasks.get())) {
    const int thread = std::atoi(entry->d_name);
    if (thread == 0 || thread == self) continue;
    // A thread that ended meanwhile needs nothing.
    if (syscall(SYS_tgkill, getpid(), thread, signal_number) == 0) ++asked;
  }
  const int own = action();
  if (own != 0) g_failure.store(own);

  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (g_answers.load() < asked && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  const bool all = g_answers.load() >= asked;
  if (!all) {
    // The handler stays: a late thread must not be killed by the signal.
    return Error{v1::INTERNAL, "", "a thread does not answer"};
  }
  sigaction(signal_number, &previous, nullptr);
  if (g_failure.load() != 0) {
    return Error{v1::INTERNAL, "", std::strerror(g_failure.load())};
  }
  return Ok{};
}

}  // namespace weir::dataplane
