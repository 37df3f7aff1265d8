#include "control/store/checkpointer.h"

#include <utility>

namespace weir::control {

Checkpointer::Checkpointer(Database database)
    : database_(std::move(database)), thread_([this] { Loop(); }) {
  const std::lock_guard lock(running_);
  database_.Execute("PRAGMA busy_timeout=0").IgnoreError();  // No commit waits for a reader.
}

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Checkpointer::Committed(int pages) {
  if (emptying_) EmptyLog();
  if (pages < asked_at_) asked_at_ = 0;  // The log has begun anew.
  if (pages >= kMostPages) {
    Run("PRAGMA wal_checkpoint(PASSIVE)");  // Nothing is appended now: the log begins anew.
  } else if (pages - asked_at_ >= kSomePages) {
    asked_at_ = pages;
    {
      const std::lock_guard lock(mutex_);
      wanted_ = true;
    }
    wake_.notify_one();
  }
}

void Checkpointer::EmptyLog() { emptying_ = !Run("PRAGMA wal_checkpoint(TRUNCATE)"); }

void Checkpointer::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return wanted_ || stop_; });
    if (stop_) return;
    wanted_ = false;
    lock.unlock();
    Run("PRAGMA wal_checkpoint(PASSIVE)");
    lock.lock();
  }
}

// False if a reader was in its way. Failed or not, the log has it all.
bool Checkpointer::Run(const char* mode) {
  const std::lock_guard lock(running_);
  const auto busy = database_.QueryInt(mode);
  return busy.ok() && *busy == 0;
}

}  // namespace weir::control
