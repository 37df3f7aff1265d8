// The sessions of the node, by id.
#ifndef WEIR_CONTROL_SESSION_SESSION_TABLE_H_
#define WEIR_CONTROL_SESSION_SESSION_TABLE_H_

#include <tbb/concurrent_hash_map.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "control/session/session.h"

namespace weir::control {

// Thread-safe. Events of flows are looked up without a lock shared by all.
class SessionTable {
 public:
  // False: the id is in use.
  bool Register(const std::shared_ptr<Session>& session);
  // The session is over: no longer active, remembered among the last 256.
  void Retire(const std::shared_ptr<Session>& session);

  // An active one by its id's 16 bytes; null if there is none.
  std::shared_ptr<Session> Find(const std::string& id_bytes) const;
  // Active or remembered.
  std::shared_ptr<Session> FindRecent(const Uuid& id) const;
  std::vector<std::shared_ptr<Session>> Active() const;
  void PostToAll(const std::function<SessionEvent()>& event) const;

 private:
  using Map = tbb::concurrent_hash_map<std::string, std::shared_ptr<Session>>;

  Map sessions_;
  mutable std::mutex mutex_;   // Guards the next two.
  std::set<std::string> ids_;  // Keys of the map, which cannot be walked while it changes.
  std::deque<std::shared_ptr<Session>> recent_;  // Newest first.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_SESSION_TABLE_H_
