#include "control/store/batch_writer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

namespace weir::control {

BatchWriter::BatchWriter(Database* database, std::function<void()> settled)
    : database_(database), settled_(std::move(settled)), thread_([this] { Loop(); }) {}

void BatchWriter::Post(Operation operation) {
  const std::lock_guard lock(mutex_);
  queue_.push_back({std::move(operation), std::nullopt, absl::OkStatus()});
  if (queue_.size() == 1) wake_.notify_one();
}

absl::Status BatchWriter::Run(Operation operation) {
  std::future<absl::Status> result;
  {
    const std::lock_guard lock(mutex_);
    // Behind operations that cannot be written it could only wait, then fail.
    if (operation.on_failure == OnFailure::kFail && !health_.ok() && !queue_.empty()) {
      return health_;
    }
    std::promise<absl::Status> promise;
    result = promise.get_future();
    queue_.push_back({std::move(operation), std::move(promise), absl::OkStatus()});
    ++waiting_;
    wake_.notify_one();
  }
  return result.get();
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

std::vector<BatchWriter::Queued> BatchWriter::TakeBatch(std::unique_lock<std::mutex>* lock) {
  if (!health_.ok()) {
    // Newcomers wait for the retry as well, unless someone is there to be told.
    wake_.wait_for(*lock, kRetryDelay, [this] { return stop_ || waiting_ > 0; });
  } else {
    wake_.wait(*lock, [this] { return stop_ || !queue_.empty(); });
    wake_.wait_for(*lock, kMaxDelay, [this] { return stop_ || waiting_ > 0; });
  }
  const size_t count = std::min(queue_.size(), kMaxBatch);
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<Queued> batch(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  for (const Queued& queued : batch) waiting_ -= queued.waiter.has_value();
  return batch;
}

void BatchWriter::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    const bool last = stop_;
    std::vector<Queued> batch = TakeBatch(&lock);
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
    Settle(std::move(batch), status);
    if (last && (queue_.empty() || !status.ok())) break;
  }
  for (Queued& queued : queue_) {
    if (queued.waiter) queued.waiter->set_value(absl::UnavailableError("the store is closed"));
  }
  if (!queue_.empty()) {
    spdlog::error("store: closed with {} operations unwritten", queue_.size());
  }
}

// With the lock held: answers who waits and puts back what must not be lost.
void BatchWriter::Settle(std::vector<Queued> batch, const absl::Status& status) {
  for (auto queued = batch.rbegin(); queued != batch.rend(); ++queued) {
    if (status.ok() && queued->result.ok() && queued->operation.committed) {
      queued->operation.committed();
    }
    if (queued->waiter) {
      queued->waiter->set_value(status.ok() ? queued->result : status);
      queued->waiter.reset();
    }
    if (!status.ok() && queued->operation.on_failure == OnFailure::kKeep) {
      queue_.push_front(std::move(*queued));
    }
  }
}

absl::Status BatchWriter::ApplyAll(std::vector<Queued>* batch) {
  for (Queued& queued : *batch) {
    if (absl::Status status = database_->Execute("SAVEPOINT operation"); !status.ok()) {
      return status;
    }
    queued.result = queued.operation.apply(database_);
    if (!queued.result.ok()) {
      if (!IsPermanent(queued.result)) return queued.result;
      if (absl::Status status = database_->Execute("ROLLBACK TO operation"); !status.ok()) {
        return status;
      }
    }
    if (absl::Status status = database_->Execute("RELEASE operation"); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status BatchWriter::Write(std::vector<Queued>* batch) {
  absl::Status status = database_->Execute("BEGIN IMMEDIATE");
  if (status.ok()) status = ApplyAll(batch);
  if (status.ok()) status = database_->Execute("COMMIT");
  // Some errors have rolled back already.
  if (!status.ok() && database_->InTransaction()) database_->Execute("ROLLBACK").IgnoreError();
  return status;
}

// A write of one page that changes nothing: has the store recovered?
absl::Status BatchWriter::Probe() {
  const auto version = database_->QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  return database_->Execute("PRAGMA user_version=" + std::to_string(*version));
}

}  // namespace weir::control
