#include "control/store/release_keeper.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

namespace weir::control {

ReleaseKeeper::ReleaseKeeper(Store* store, KeeperOptions options)
    : store_(store), options_(std::move(options)), thread_([this] { Loop(); }) {}

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
    RunRecords();
    if (options_.contacts != nullptr) RunContacts();
    lock.lock();
    wake_.wait_for(lock, options_.interval, [this] { return stop_; });
  }
}

void ReleaseKeeper::RunRecords() {
  const absl::StatusOr<int> done = store_->RunDeadlines();
  if (!done.ok()) {
    spdlog::error("records that are due stay as they are for now: {}",
                  std::string(done.status().message()));
    return;
  }
  if (*done != 0) spdlog::info("released or anonymised {} records that were due", *done);
  if (!options_.retention) return;
  const absl::StatusOr<RetentionRun> run = store_->RunRetention(options_.retention());
  if (!run.ok()) {
    spdlog::error("records that are to be deleted stay for now: {}",
                  std::string(run.status().message()));
    return;
  }
  if (run->deleted != 0) spdlog::info("deleted {} records whose time was over", run->deleted);
  if (options_.held) options_.held(run->held);
}

void ReleaseKeeper::RunContacts() {
  const auto gone = options_.contacts->RunDeadlines();
  if (!gone.ok()) {
    spdlog::error("contact details that are due stay for now: {}",
                  std::string(gone.status().message()));
    return;
  }
  for (const std::string& session : *gone) {
    store_->Audit({.event = "contact_expired", .session_id = session});
  }
}

}  // namespace weir::control
