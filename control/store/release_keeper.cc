#include "control/store/release_keeper.h"

#include <spdlog/spdlog.h>

#include <string>

namespace weir::control {

ReleaseKeeper::ReleaseKeeper(Store* store, std::chrono::milliseconds interval)
    : store_(store), interval_(interval), thread_([this] { Loop(); }) {}

ReleaseKeeper::~ReleaseKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

void ReleaseKeeper::Loop() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    const absl::StatusOr<int> done = store_->RunDeadlines();
    if (!done.ok()) {
      spdlog::error("records that are due stay as they are for now: {}",
                    std::string(done.status().message()));
    } else if (*done != 0) {
      spdlog::info("released or anonymised {} records that were due", *done);
    }
    lock.lock();
    wake_.wait_for(lock, interval_, [this] { return stop_; });
  }
}

}  // namespace weir::control
