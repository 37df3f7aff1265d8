// A few threads for work that blocks and must not hold up gRPC's own.
#ifndef WEIR_CONTROL_SESSION_WORK_QUEUE_H_
#define WEIR_CONTROL_SESSION_WORK_QUEUE_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace weir::control {

// Thread-safe.
class WorkQueue {
 public:
  WorkQueue(size_t threads, size_t capacity);
  ~WorkQueue();  // Does what is queued first.

  // False: as much as fits is queued already; `work` is dropped.
  bool Submit(std::function<void()> work);

 private:
  void ThreadMain();

  const size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_WORK_QUEUE_H_
