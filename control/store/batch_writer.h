// The one thread that writes to the store.
#ifndef WEIR_CONTROL_STORE_BATCH_WRITER_H_
#define WEIR_CONTROL_STORE_BATCH_WRITER_H_

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "control/store/sqlite.h"

namespace weir::control {

// Commits queued operations in order, many in one transaction. An operation that can never work
// (IsPermanent) fails alone. When the store itself fails, operations marked kFail are answered
// with the reason; the rest stay queued and are tried again and again until they are written.
// Thread-safe.
class BatchWriter {
 public:
  enum class OnFailure { kFail, kKeep };

  struct Operation {
    // May run several times: a failed transaction is rolled back and tried again.
    std::function<absl::Status(Database*)> apply;
    // On the writer's thread after the commit that holds it.
    std::function<void()> committed = nullptr;
    OnFailure on_failure = OnFailure::kKeep;
  };

  // The database is the writer's until Stop returns. `settled` runs on the writer's thread after
  // every commit and every failure, before anybody is told of it.
  BatchWriter(Database* database, std::function<void()> settled);
  ~BatchWriter() { Stop(); }

  // Queued; written within kMaxDelay while the store works.
  void Post(Operation operation);
  // Returns after the commit, or with why there was none (a kKeep operation is still kept).
  absl::Status Run(Operation operation);
  // Of each, after the last one's. All or none of them are kKeep.
  std::vector<absl::Status> RunAll(std::vector<Operation> operations);

  // OK, or why the last transaction failed.
  absl::Status Health() const;

  // Tries once more what is queued, then ends the thread. Idempotent.
  void Stop();

 private:
  static constexpr size_t kMaxBatch = 1000;
  static constexpr std::chrono::milliseconds kMaxDelay{500};
  static constexpr std::chrono::milliseconds kRetryDelay{200};

  // Who waits for some operations. The writer's, once they are queued.
  struct Waiter {
    std::vector<absl::Status> results;
    size_t left = 0;
    std::promise<void> answered;
  };
  struct Queued {
    Operation operation;
    std::shared_ptr<Waiter> waiter;  // Null: nobody.
    size_t index = 0;                // Of its result.
    absl::Status result = absl::OkStatus();

    void Answer(absl::Status status) const;
  };

  void Loop();
  std::deque<Queued> TakeBatch(std::unique_lock<std::mutex>* lock);
  using Applying = absl::Status (BatchWriter::*)(std::deque<Queued>* batch);
  absl::Status Write(std::deque<Queued>* batch);
  absl::Status Commit(std::deque<Queued>* batch, Applying apply);
  absl::Status ApplyAll(std::deque<Queued>* batch);
  absl::Status ApplyEach(std::deque<Queued>* batch);
  absl::Status Probe();
  void PutBack(std::deque<Queued>* batch);
  void Answer(std::deque<Queued>* batch, const absl::Status& status);

  Database* const database_;
  const std::function<void()> settled_;

  mutable std::mutex mutex_;  // Guards what follows.
  std::condition_variable wake_;
  std::deque<Queued> queue_;
  size_t waiting_ = 0;  // Entries of queue_ somebody waits for.
  absl::Status health_;
  bool stop_ = false;

  std::thread thread_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_BATCH_WRITER_H_
