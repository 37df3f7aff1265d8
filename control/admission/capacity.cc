#include "control/admission/capacity.h"

#include <utility>

namespace weir::control {

Ledger::Usage Ledger::PortUsage(const std::string& port) const {
  const std::lock_guard lock(mutex_);
  return PortUsageLocked(port);
}

uint32_t Ledger::RuleSessions(const std::string& rule) const {
  const std::lock_guard lock(mutex_);
  return RuleSessionsLocked(rule);
}

uint32_t Ledger::Sessions() const {
  const std::lock_guard lock(mutex_);
  return sessions_;
}

Ledger::Usage Ledger::PortUsageLocked(const std::string& port) const {
  const auto found = ports_.find(port);
  return found == ports_.end() ? Usage{} : found->second;
}

uint32_t Ledger::RuleSessionsLocked(const std::string& rule) const {
  const auto found = rules_.find(rule);
  return found == rules_.end() ? 0 : found->second;
}

void Ledger::AddLocked(const Claim& claim) {
  Usage& port = ports_[claim.port];
  for (size_t side = 0; side < claim.bps.size(); ++side) port.bps[side] += claim.bps[side];
  ++port.sessions;
  for (const std::string& rule : claim.rules) ++rules_[rule];
  ++sessions_;
}

void Ledger::Release(const Claim& claim) {
  const std::lock_guard lock(mutex_);
  Usage& port = ports_[claim.port];
  for (size_t side = 0; side < claim.bps.size(); ++side) port.bps[side] -= claim.bps[side];
  if (--port.sessions == 0) ports_.erase(claim.port);
  for (const std::string& rule : claim.rules) {
    if (--rules_[rule] == 0) rules_.erase(rule);
  }
  --sessions_;
}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    Release();
    ledger_ = std::exchange(other.ledger_, nullptr);
    claim_ = std::move(other.claim_);
  }
  return *this;
}

void Reservation::Release() {
  if (auto ledger = std::exchange(ledger_, nullptr)) ledger->Release(claim_);
}

}  // namespace weir::control
