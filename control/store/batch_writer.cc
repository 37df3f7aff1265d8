#include "control/store/batch_writer.h"

#include <linux/futex.h>
#include <spdlog/spdlog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <iterator>
#include <string>
#include <utility>

namespace weir::control {

// The library's wait spins, with a system call a turn: a thousand threads would leave the writer no
// processor.
void BatchWriter::Company::SleepUntil(const std::atomic<bool>& answered) {
  for (int calls = calls_; !answered; calls = calls_) {
    syscall(SYS_futex, &calls_, FUTEX_WAIT_PRIVATE, calls, nullptr, nullptr, 0);
  }
}

void BatchWriter::Company::Wake() {
  ++calls_;
  syscall(SYS_futex, &calls_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

BatchWriter::BatchWriter(Database* database, std::function<void()> settled)
    : database_(database), settled_(std::move(settled)), thread_([this] { Loop(); }) {}

void BatchWriter::Post(Operation operation) {
  std::vector<Operation> operations;
  operations.push_back(std::move(operation));
  auto group = std::make_shared<Group>(std::move(operations));
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(group));
  if (queue_.size() == 1) wake_.notify_one();
}

absl::Status BatchWriter::Run(Operation operation) {
  std::vector<Operation> operations;
  operations.push_back(std::move(operation));
  return RunAll(std::move(operations)).front();
}

std::vector<absl::Status> BatchWriter::RunAll(std::vector<Operation> operations) {
  if (operations.empty()) return {};
  const bool keep = operations.front().on_failure == OnFailure::kKeep;
  const auto group = std::make_shared<Group>(std::move(operations));
  std::shared_ptr<Company> company;
  {
    const std::lock_guard lock(mutex_);
    // Behind operations that cannot be written they could only wait, then fail.
    if (!keep && !health_.ok() && !queue_.empty()) {
      return std::vector(group->operations.size(), health_);
    }
    company = group->company = company_;
    queue_.push_back(group);
    ++waiting_;
    wake_.notify_one();
  }
  company->SleepUntil(group->answered);
  return std::move(group->results);
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

// As many whole groups as come to kMaxBatch operations; a larger one by itself.
BatchWriter::Batch BatchWriter::TakeBatch(std::unique_lock<std::mutex>* lock) {
  if (!health_.ok()) {
    // Newcomers wait for the retry as well, unless someone is there to be told.
    wake_.wait_for(*lock, kRetryDelay, [this] { return stop_ || waiting_ > 0; });
  } else {
    wake_.wait(*lock, [this] { return stop_ || !queue_.empty(); });
    wake_.wait_for(*lock, kMaxDelay, [this] { return stop_ || waiting_ > 0; });
  }
  Batch batch;
  for (size_t operations = 0; !queue_.empty(); queue_.pop_front()) {
    operations += queue_.front()->operations.size();
    if (operations > kMaxBatch && !batch.empty()) break;
    waiting_ -= queue_.front()->company != nullptr;
    batch.push_back(std::move(queue_.front()));
  }
  company_ = std::make_shared<Company>();
  return batch;
}

void BatchWriter::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    const bool last = stop_;
    Batch batch = TakeBatch(&lock);
    const bool probe = batch.empty() && !health_.ok();
    lock.unlock();
    const absl::Status status = !batch.empty() ? Write(batch) : probe ? Probe() : absl::OkStatus();
    settled_();
    if (status.ok()) Confirm(batch);
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
    if (!status.ok()) PutBack(batch);
    lock.unlock();
    Answer(std::move(batch), status);
    lock.lock();
    if (last && (queue_.empty() || !status.ok())) break;
  }
  size_t unwritten = 0;
  for (const auto& group : queue_) unwritten += group->operations.size();
  if (unwritten != 0) spdlog::error("store: closed with {} operations unwritten", unwritten);
  Answer(std::move(queue_), absl::UnavailableError("the store is closed"));
}

// With the lock held: what must not be lost is first in the queue again, and nobody waits for it.
void BatchWriter::PutBack(const Batch& batch) {
  Batch kept;
  for (const auto& group : batch) {
    if (group->operations.front().on_failure != OnFailure::kKeep) continue;
    kept.push_back(std::make_shared<Group>(std::move(group->operations)));
  }
  queue_.insert(queue_.begin(), std::make_move_iterator(kept.begin()),
                std::make_move_iterator(kept.end()));
}

void BatchWriter::Confirm(const Batch& batch) {
  for (const auto& group : batch) {
    for (size_t i = 0; i < group->operations.size(); ++i) {
      const auto& committed = group->operations[i].committed;
      if (committed && group->results[i].ok()) committed();
    }
  }
}

// Without the lock: who is woken may come back for it at once.
void BatchWriter::Answer(Batch batch, const absl::Status& status) {
  std::vector<std::shared_ptr<Company>> companies;  // In the queue's order: each once.
  for (const auto& group : batch) {
    if (group->company == nullptr) continue;
    if (!status.ok()) group->results.assign(group->results.size(), status);
    if (companies.empty() || companies.back() != group->company) {
      companies.push_back(group->company);
    }
    group->answered = true;
  }
  batch.clear();
  for (const auto& company : companies) company->Wake();
}

// Stops at the first operation that fails.
absl::Status BatchWriter::ApplyAll(const Batch& batch) {
  for (const auto& group : batch) {
    for (size_t i = 0; i < group->operations.size(); ++i) {
      group->results[i] = group->operations[i].apply(database_);
      if (!group->results[i].ok()) return group->results[i];
    }
  }
  return absl::OkStatus();
}

// Leaves out what can never work. A savepoint costs a copy of each page that is changed under it.
absl::Status BatchWriter::ApplyEach(const Batch& batch) {
  for (const auto& group : batch) {
    for (size_t i = 0; i < group->operations.size(); ++i) {
      if (absl::Status status = database_->Savepoint(); !status.ok()) return status;
      absl::Status& result = group->results[i];
      result = group->operations[i].apply(database_);
      if (!result.ok()) {
        if (!IsPermanent(result)) return result;
        if (absl::Status status = database_->RollbackToSavepoint(); !status.ok()) {
          return status;
        }
      }
      if (absl::Status status = database_->ReleaseSavepoint(); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status BatchWriter::Write(const Batch& batch) {
  const absl::Status status = Commit(batch, &BatchWriter::ApplyAll);
  return IsPermanent(status) ? Commit(batch, &BatchWriter::ApplyEach) : status;
}

absl::Status BatchWriter::Commit(const Batch& batch, Applying apply) {
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
