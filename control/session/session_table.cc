#include "control/session/session_table.h"

#include <utility>

namespace weir::control {
namespace {

constexpr size_t kRemembered = 256;

}  // namespace

bool SessionTable::Register(const std::shared_ptr<Session>& session) {
  const std::string key = session->id().Bytes();
  if (!sessions_.insert({key, session})) return false;
  std::lock_guard lock(mutex_);
  ids_.insert(key);
  return true;
}

void SessionTable::Retire(const std::shared_ptr<Session>& session) {
  const std::string key = session->id().Bytes();
  if (!sessions_.erase(key)) return;
  std::lock_guard lock(mutex_);
  ids_.erase(key);
  recent_.push_front(session);
  if (recent_.size() > kRemembered) recent_.pop_back();
}

std::shared_ptr<Session> SessionTable::Find(const std::string& id_bytes) const {
  Map::const_accessor found;
  return sessions_.find(found, id_bytes) ? found->second : nullptr;
}

std::shared_ptr<Session> SessionTable::FindRecent(const Uuid& id) const {
  if (std::shared_ptr<Session> active = Find(id.Bytes())) return active;
  std::lock_guard lock(mutex_);
  for (const std::shared_ptr<Session>& session : recent_) {
    if (session->id() == id) return session;
  }
  return nullptr;
}

std::vector<std::shared_ptr<Session>> SessionTable::Active() const {
  std::vector<std::string> ids;
  {
    std::lock_guard lock(mutex_);
    ids.assign(ids_.begin(), ids_.end());
  }
  std::vector<std::shared_ptr<Session>> sessions;
  for (const std::string& id : ids) {
    if (std::shared_ptr<Session> session = Find(id)) sessions.push_back(std::move(session));
  }
  return sessions;
}

void SessionTable::PostToAll(const std::function<SessionEvent()>& event) const {
  for (const std::shared_ptr<Session>& session : Active()) session->mailbox().Post(event());
}

}  // namespace weir::control
