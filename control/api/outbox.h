// Messages queued for one gRPC stream, written one after another.
#ifndef WEIR_CONTROL_API_OUTBOX_H_
#define WEIR_CONTROL_API_OUTBOX_H_

#include <deque>
#include <functional>
#include <mutex>
#include <utility>

namespace weir::control {

// gRPC allows one write at a time and needs the message to live until it is done. Thread-safe.
// After Detach nothing of the stream is touched any more.
template <typename Message>
class Outbox {
 public:
  struct Stream {
    std::function<void(const Message*)> write;  // Starts a write.
    std::function<void()> finish;               // Nothing comes any more.
  };

  explicit Outbox(Stream stream) : stream_(std::move(stream)) {}

  void Send(Message message) {
    std::lock_guard lock(mutex_);
    if (detached_ || closing_) return;
    queue_.push_back(std::move(message));
    if (queue_.size() == 1) stream_.write(&queue_.front());
  }

  // Finishes the stream when all that was sent is written. Repeats do nothing.
  void Close() {
    std::lock_guard lock(mutex_);
    if (detached_ || closing_) return;
    closing_ = true;
    if (queue_.empty()) stream_.finish();
  }

  // From the stream's write reaction.
  void OnWritten(bool ok) {
    std::lock_guard lock(mutex_);
    if (!queue_.empty()) queue_.pop_front();
    if (detached_) return;
    if (!ok) queue_.clear();
    if (!queue_.empty()) {
      stream_.write(&queue_.front());
    } else if (closing_) {
      stream_.finish();
    }
  }

  // The stream is about to be destroyed.
  void Detach() {
    std::lock_guard lock(mutex_);
    detached_ = true;
  }

  // Runs `action` unless the stream is gone.
  void IfAttached(const std::function<void()>& action) {
    std::lock_guard lock(mutex_);
    if (!detached_) action();
  }

 private:
  const Stream stream_;
  std::mutex mutex_;
  std::deque<Message> queue_;  // The front one is being written.
  bool closing_ = false;
  bool detached_ = false;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_OUTBOX_H_
