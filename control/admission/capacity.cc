#include "control/admission/capacity.h"

#include <algorithm>
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

bool Ledger::AddLocked(const Claim& claim) {
  if (use_.size() + claim.charges.size() > UseTable::kMaxTracked) return false;
  for (const UseCharge& charge : claim.charges) {
    // One after the other: a later one may move an earlier one within the table.
    ObservedUse* use = use_.Touch(charge.key, charge.day);
    if (use == nullptr) return false;
    ++use->sessions;
    ++use->tests;
    use->rate_bps += claim.rate_bps;
    use->held_bytes += claim.held_bytes;
    if (charge.not_before_unix_s != 0) use->not_before_unix_s = charge.not_before_unix_s;
  }
  Usage& port = ports_[claim.port];
  for (size_t side = 0; side < claim.bps.size(); ++side) port.bps[side] += claim.bps[side];
  ++port.sessions;
  for (const std::string& rule : claim.rules) ++rules_[rule];
  ++sessions_;
  const uint64_t egress = claim.bps[static_cast<size_t>(LinkSide::kTransmit)];
  if (egress != 0) sending_.push_back({claim.port, egress, claim.until_steady_ns});
  return true;
}

void Ledger::Release(const Claim& claim, bool begun, uint64_t moved_bytes) {
  const std::lock_guard lock(mutex_);
  for (const UseCharge& charge : claim.charges) {
    ObservedUse* use = use_.Touch(charge.key, charge.day);
    if (use == nullptr) continue;  // Cannot be: it is there since AddLocked.
    --use->sessions;
    use->rate_bps -= claim.rate_bps;
    use->held_bytes -= claim.held_bytes;
    use->bytes += moved_bytes;
    if (begun) continue;
    if (use->day == charge.day && use->tests > 0) --use->tests;
    if (charge.not_before_unix_s != 0) use->not_before_unix_s = 0;  // It was due, and still is.
  }
  Usage& port = ports_[claim.port];
  for (size_t side = 0; side < claim.bps.size(); ++side) port.bps[side] -= claim.bps[side];
  if (--port.sessions == 0) ports_.erase(claim.port);
  for (const std::string& rule : claim.rules) {
    if (--rules_[rule] == 0) rules_.erase(rule);
  }
  --sessions_;
  const uint64_t egress = claim.bps[static_cast<size_t>(LinkSide::kTransmit)];
  const auto sent = std::find_if(sending_.begin(), sending_.end(), [&](const Sending& sending) {
    return sending.port == claim.port && sending.bps == egress &&
           sending.until_steady_ns == claim.until_steady_ns;
  });
  if (sent != sending_.end()) sending_.erase(sent);
}

uint64_t Ledger::EgressLocked(const std::string& port, int64_t steady_ns) const {
  const auto found = egress_.find(port);
  return found == egress_.end() ? 0 : found->second.BytesInWindow(steady_ns);
}

double Ledger::OutstandingEgressBitsLocked(const std::string& port, int64_t steady_ns) const {
  double bits = 0;
  for (const Sending& sending : sending_) {
    if (sending.port != port || sending.until_steady_ns <= steady_ns) continue;
    bits += static_cast<double>(sending.bps) *
            static_cast<double>(sending.until_steady_ns - steady_ns) / 1e9;
  }
  return bits;
}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    Release();
    ledger_ = std::exchange(other.ledger_, nullptr);
    claim_ = std::move(other.claim_);
    begun_ = other.begun_;
    moved_bytes_ = other.moved_bytes_;
  }
  return *this;
}

void Reservation::Release() {
  if (auto ledger = std::exchange(ledger_, nullptr)) ledger->Release(claim_, begun_, moved_bytes_);
}

}  // namespace weir::control
