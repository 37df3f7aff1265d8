// Runs the deadlines of records and contact details.
#ifndef WEIR_CONTROL_STORE_RELEASE_KEEPER_H_
#define WEIR_CONTROL_STORE_RELEASE_KEEPER_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "control/store/contact_store.h"
#include "control/store/store.h"

namespace weir::control {

struct KeeperOptions {
  std::chrono::milliseconds interval = std::chrono::seconds(10);
  std::function<RetentionTerms()> retention = nullptr;  // Null: nothing is deleted.
  ContactStore* contacts = nullptr;
  std::function<void(int64_t held)> held = nullptr;  // Told how many records wait to be deleted.
};

// At once and then every `interval`, on a thread of its own; a failure is logged and tried again.
// Stops when it goes; what it is given must outlive it.
class ReleaseKeeper {
 public:
  explicit ReleaseKeeper(Store* store, KeeperOptions options = {});
  ~ReleaseKeeper();
  ReleaseKeeper(const ReleaseKeeper&) = delete;
  ReleaseKeeper& operator=(const ReleaseKeeper&) = delete;

 private:
  void Loop();
  void RunRecords();
  void RunContacts();

  Store* const store_;
  const KeeperOptions options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_RELEASE_KEEPER_H_
