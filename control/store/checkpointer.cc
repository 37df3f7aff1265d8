#include "control/store/checkpointer.h"

#include <utility>

namespace weir::control {

Checkpointer::Checkpointer(Database database)
    : database_(std::move(database)), thread_([this] { Loop(); }) {}

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Checkpointer::Committed(int pages) {
  if (pages >= kMostPages) {
    Run("PRAGMA wal_checkpoint(PASSIVE)");  // Nothing is appended now: the log begins anew.
  } else if (pages >= kSomePages) {
    {
      const std::lock_guard lock(mutex_);
      wanted_ = true;
    }
    wake_.notify_one();
  }
}

void Checkpointer::EmptyLog() { Run("PRAGMA wal_checkpoint(TRUNCATE)"); }

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

// Failed or not, the log has it all; the next commit asks again.
void Checkpointer::Run(const char* mode) {
  const std::lock_guard lock(running_);
  database_.Execute(mode).IgnoreError();
}

}  // namespace weir::control
