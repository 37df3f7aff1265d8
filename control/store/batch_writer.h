// The one thread that writes to the store.
#ifndef WEIR_CONTROL_STORE_BATCH_WRITER_H_
#define WEIR_CONTROL_STORE_BATCH_WRITER_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
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

  // Callers who queued between two batches sleep on one word, so that one system call wakes them:
  // a call for each took the writer half as long as their rows did.
  class Company {
   public:
    void SleepUntil(const std::atomic<bool>& answered);
    void Wake();

   private:
    std::atomic<int> calls_{0};  // A futex.
  };

  // What one call queued. The writer lets go of it before its caller wakes, so that the caller
  // frees it, on its own processor and time.
  struct Group {
    explicit Group(std::vector<Operation> queued)
        : operations(std::move(queued)), results(operations.size()) {}

    std::vector<Operation> operations;
    std::vector<absl::Status> results;  // Of each.
    std::shared_ptr<Company> company;   // Of the caller who waits; null: nobody does.
    std::atomic<bool> answered{false};
  };
  using Batch = std::deque<std::shared_ptr<Group>>;

  void Loop();
  Batch TakeBatch(std::unique_lock<std::mutex>* lock);
  using Applying = absl::Status (BatchWriter::*)(const Batch& batch);
  absl::Status Write(const Batch& batch);
  absl::Status Commit(const Batch& batch, Applying apply);
  absl::Status ApplyAll(const Batch& batch);
  absl::Status ApplyEach(const Batch& batch);
  absl::Status Probe();
  void PutBack(const Batch& batch);
  static void Confirm(const Batch& batch);
  static void Answer(Batch batch, const absl::Status& status);

  Database* const database_;
  const std::function<void()> settled_;

  mutable std::mutex mutex_;  // Guards what follows.
  std::condition_variable wake_;
  Batch queue_;
  size_t waiting_ = 0;  // Groups of queue_ somebody waits for.
  std::shared_ptr<Company> company_ = std::make_shared<Company>();  // Of those who come now.
  absl::Status health_;
  bool stop_ = false;

  std::thread thread_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_BATCH_WRITER_H_
