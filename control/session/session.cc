#include "control/session/session.h"

#include <absl/time/time.h>

#include <utility>

namespace weir::control {

std::string StateName(SessionState state) {
  switch (state) {
    case SessionState::kRequested:
      return "requested";
    case SessionState::kAdmitted:
      return "admitted";
    case SessionState::kProven:
      return "proven";
    case SessionState::kRunning:
      return "running";
    case SessionState::kFinishing:
      return "finishing";
    case SessionState::kExported:
      return "exported";
    case SessionState::kAborted:
      return "aborted";
    case SessionState::kWithheld:
      return "withheld";
  }
  return "unknown";
}

std::string FormatTime(uint64_t unix_ns) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ",
                          absl::FromUnixNanos(static_cast<int64_t>(unix_ns)), absl::UTCTimeZone());
}

bool Session::Attach(std::shared_ptr<PeerLink> link) {
  std::lock_guard lock(mutex_);
  if (run_claimed_ || IsFinal(state_)) return false;
  run_claimed_ = true;
  mailbox_.Post(PeerAttached{std::move(link)});
  return true;
}

void Session::SetTerms(std::vector<measurement::v1::DirectionRequest> directions, std::string peer,
                       std::string admission_rule) {
  std::lock_guard lock(mutex_);
  directions_ = std::move(directions);
  peer_ = std::move(peer);
  admission_rule_ = std::move(admission_rule);
}

void Session::SetState(SessionState state) {
  std::lock_guard lock(mutex_);
  state_ = state;
}

SessionState Session::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

void Session::SetEnd(SessionState state, const measurement::v1::Completed& completed) {
  std::lock_guard lock(mutex_);
  state_ = state;
  completed_ = completed;
}

measurement::v1::SessionInfo Session::Info() const {
  std::lock_guard lock(mutex_);
  measurement::v1::SessionInfo info;
  info.set_session_id(id_.ToString());
  info.set_state(StateName(state_));
  info.set_role(role_ == SessionRole::kServer ? "server" : "client");
  info.set_peer(peer_);
  info.set_started_at(FormatTime(started_unix_ns_));
  info.mutable_directions()->Add(directions_.begin(), directions_.end());
  info.set_end_reason(completed_.end_reason());
  info.set_admission_rule(admission_rule_);
  return info;
}

measurement::v1::GetResultReply Session::Result() const {
  std::lock_guard lock(mutex_);
  measurement::v1::GetResultReply reply;
  reply.set_state(StateName(state_));
  *reply.mutable_results() = completed_.results();
  *reply.mutable_record_ids() = completed_.record_ids();
  reply.set_outcome(completed_.outcome());
  reply.set_end_reason(completed_.end_reason());
  return reply;
}

}  // namespace weir::control
