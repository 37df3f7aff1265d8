// SIGINT, SIGTERM and SIGHUP as events: the first asks, the second insists.
#ifndef WEIR_CONTROL_CLI_INTERRUPT_H_
#define WEIR_CONTROL_CLI_INTERRUPT_H_

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

namespace weir::cli {

// Make one before any other thread: it blocks the signals, and threads inherit that.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool requested() const { return requested_; }
  // Readable once the first signal has come.
  int fd() const { return event_fd_; }

  // `action` runs on the first signal (at once if it has come already), on another thread. The
  // second signal ends the process with ExitCode::kAborted.
  void OnRequest(std::function<void()> action);
  // Waits for a running action, then forgets it.
  void Clear();

 private:
  void Watch();

  const int event_fd_;
  const int stop_fd_;
  int signal_fd_;
  std::atomic<bool> requested_{false};
  std::mutex mutex_;  // Guards action_; held while it runs.
  std::function<void()> action_;
  std::thread watcher_;
};

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_INTERRUPT_H_
