// Events to one session's thread.
#ifndef WEIR_CONTROL_SESSION_MAILBOX_H_
#define WEIR_CONTROL_SESSION_MAILBOX_H_

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace weir::control {

// Any thread posts, one waits. Posting never blocks; what posts must bound itself.
template <typename Event>
class Mailbox {
 public:
  void Post(Event event) {
    {
      std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
    }
    posted_.notify_one();
  }

  // The oldest event; empty if none came by `deadline`.
  std::optional<Event> WaitUntil(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    if (!posted_.wait_until(lock, deadline, [this] { return !events_.empty(); })) {
      return std::nullopt;
    }
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<Event> events_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_MAILBOX_H_
