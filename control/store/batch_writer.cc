#include "control/store/batch_writer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

namespace weir::control {

BatchWriter::BatchWriter(Database* database, std::function<void()> settled)
    : database_(database), settled_(std::move(settled)), thread_([this] { Loop(); }) {}

void BatchWriter::Queued::Answer(absl::Status status) const {
  if (waiter == nullptr) return;
  waiter->results[index] = std::move(status);
  if (--waiter->left == 0) waiter->answered.set_value();
}

void BatchWriter::Post(Operation operation) {
  const std::lock_guard lock(mutex_);
  queue_.push_back({std::move(operation), nullptr});
  if (queue_.size() == 1) wake_.notify_one();
}

absl::Status BatchWriter::Run(Operation operation) {
  std::vector<Operation> operations;
  operations.push_back(std::move(operation));
  return RunAll(std::move(operations)).front();
}

std::vector<absl::Status> BatchWriter::RunAll(std::vector<Operation> operations) {
  if (operations.empty()) return {};
  const auto waiter = std::make_shared<Waiter>();
  waiter->results.resize(operations.size());
  waiter->left = operations.size();
  std::future<void> answered = waiter->answered.get_future();
  {
    const std::lock_guard lock(mutex_);
    // Behind operations that cannot be written they could only wait, then fail.
    if (operations.front().on_failure == OnFailure::kFail && !health_.ok() && !queue_.empty()) {
      return std::vector(operations.size(), health_);
    }
    for (size_t i = 0; i < operations.size(); ++i) {
      queue_.push_back({std::move(operations[i]), waiter, i});
    }
    waiting_ += operations.size();
    wake_.notify_one();
  }
  answered.wait();
  return std::move(waiter->results);
}

absl::Status BatchWriter::Health() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

void BatchWriter::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

std::deque<BatchWriter::Queued> BatchWriter::TakeBatch(std::unique_lock<std::mutex>* lock) {
  if (!health_.ok()) {
    // Newcomers wait for the retry as well, unless someone is there to be told.
    wake_.wait_for(*lock, kRetryDelay, [this] { return stop_ || waiting_ > 0; });
  } else {
    wake_.wait(*lock, [this] { return stop_ || !queue_.empty(); });
    wake_.wait_for(*lock, kMaxDelay, [this] { return stop_ || waiting_ > 0; });
  }
  std::deque<Queued> batch;
  if (queue_.size() <= kMaxBatch) {
    batch.swap(queue_);  // Those who have more to queue wait meanwhile.
  } else {
    const auto end = queue_.begin() + kMaxBatch;
    std::move(queue_.begin(), end, std::back_inserter(batch));
    queue_.erase(queue_.begin(), end);
  }
  for (const Queued& queued : batch) waiting_ -= queued.waiter != nullptr;
  return batch;
}

void BatchWriter::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    const bool last = stop_;
    std::deque<Queued> batch = TakeBatch(&lock);
    const bool probe = batch.empty() && !health_.ok();
    lock.unlock();
    const absl::Status status = !batch.empty() ? Write(&batch) : probe ? Probe() : absl::OkStatus();
    settled_();
    lock.lock();
    if (health_.ok() != status.ok()) {
      if (status.ok()) {
        spdlog::info("store: writing again");
      } else {
        spdlog::error("store: cannot write: {}; what is to be stored is kept in memory",
                      std::string(status.message()));
      }
    }
    health_ = status;
    if (!status.ok()) PutBack(&batch);
    lock.unlock();
    Answer(&batch, status);
    lock.lock();
    if (last && (queue_.empty() || !status.ok())) break;
  }
  for (Queued& queued : queue_) {
    queued.Answer(absl::UnavailableError("the store is closed"));
  }
  if (!queue_.empty()) {
    spdlog::error("store: closed with {} operations unwritten", queue_.size());
  }
}

// With the lock held: what must not be lost is first in the queue again.
void BatchWriter::PutBack(std::deque<Queued>* batch) {
  for (auto queued = batch->rbegin(); queued != batch->rend(); ++queued) {
    if (queued->operation.on_failure != OnFailure::kKeep) continue;
    queue_.push_front({std::move(queued->operation), nullptr});
  }
}

// Without it: who is woken may come back for it at once.
void BatchWriter::Answer(std::deque<Queued>* batch, const absl::Status& status) {
  for (Queued& queued : *batch) {
    if (status.ok() && queued.result.ok() && queued.operation.committed) {
      queued.operation.committed();
    }
    queued.Answer(status.ok() ? queued.result : status);
  }
}

// Stops at the first operation that fails.
absl::Status BatchWriter::ApplyAll(std::deque<Queued>* batch) {
  for (Queued& queued : *batch) {
    queued.result = queued.operation.apply(database_);
    if (!queued.result.ok()) return queued.result;
  }
  return absl::OkStatus();
}

// Leaves out what can never work. A savepoint costs a copy of each page that is changed under it.
absl::Status BatchWriter::ApplyEach(std::deque<Queued>* batch) {
  for (Queued& queued : *batch) {
    if (absl::Status status = database_->Savepoint(); !status.ok()) return status;
    queued.result = queued.operation.apply(database_);
    if (!queued.result.ok()) {
      if (!IsPermanent(queued.result)) return queued.result;
      if (absl::Status status = database_->RollbackToSavepoint(); !status.ok()) {
        return status;
      }
    }
    if (absl::Status status = database_->ReleaseSavepoint(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status BatchWriter::Write(std::deque<Queued>* batch) {
  const absl::Status status = Commit(batch, &BatchWriter::ApplyAll);
  return IsPermanent(status) ? Commit(batch, &BatchWriter::ApplyEach) : status;
}

absl::Status BatchWriter::Commit(std::deque<Queued>* batch, Applying apply) {
  absl::Status status = database_->Run("BEGIN IMMEDIATE");
  if (status.ok()) status = (this->*apply)(batch);
  if (status.ok()) status = database_->Commit();
  // Some errors have rolled back already.
  if (!status.ok() && database_->InTransaction()) database_->Run("ROLLBACK").IgnoreError();
  return status;
}

// A write of one page that changes nothing: has the store recovered?
absl::Status BatchWriter::Probe() {
  const auto version = database_->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  return database_->Execute("PRAGMA user_version=" + std::to_string(*version));
}

}  // namespace weir::control
