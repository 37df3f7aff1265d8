#include "dataplane/slowpath/peer_lease.h"

#include <algorithm>

#include "wire/signal_packet.h"

namespace weir::dataplane {
namespace {

constexpr uint32_t kResumeShift = 2;  // A quarter of the rate.
constexpr uint64_t kRampStepNs = 1'000'000'000;

static_assert(64 * wire::kBeaconIntervalNs >= wire::kNonceLifetimeNs);

}  // namespace

void PeerLease::Arm(uint64_t now_ns) {
  *this = PeerLease();
  lease_until_ns_ = now_ns + wire::kFirstFeedbackNs;
  next_beacon_ns_ = now_ns;
}

bool PeerLease::BeaconDue(uint64_t now_ns) {
  if (now_ns < next_beacon_ns_) return false;
  next_beacon_ns_ =
      now_ns + (phase_ == Phase::kPaused ? wire::kProbeIntervalNs : wire::kBeaconIntervalNs);
  return true;
}

void PeerLease::RememberNonce(uint64_t nonce, uint64_t now_ns) {
  nonces_[nonce_at_] = {nonce, now_ns};
  nonce_at_ = (nonce_at_ + 1) % nonces_.size();
}

bool PeerLease::Renew(uint64_t counter, uint64_t nonce, uint64_t now_ns) {
  if (phase_ == Phase::kLost || counter <= last_counter_) return false;
  const bool fresh = std::any_of(nonces_.begin(), nonces_.end(), [=](const Nonce& known) {
    return known.sent_ns != 0 && known.value == nonce &&
           now_ns <= known.sent_ns + wire::kNonceLifetimeNs;
  });
  if (!fresh) return false;
  last_counter_ = counter;
  if (phase_ == Phase::kPaused) {
    rate_shift_ = kResumeShift;
    resumed_ns_ = now_ns;
    next_beacon_ns_ = now_ns;
  }
  phase_ = Phase::kHeld;
  lease_until_ns_ = now_ns + wire::kPeerLeaseNs;
  return true;
}

PeerLease::Phase PeerLease::Tick(uint64_t now_ns) {
  switch (phase_) {
    case Phase::kUnconfirmed:
      if (now_ns >= lease_until_ns_) phase_ = Phase::kLost;
      break;
    case Phase::kHeld:
      if (now_ns >= lease_until_ns_) {
        phase_ = Phase::kPaused;
        paused_ns_ = now_ns;
        next_beacon_ns_ = now_ns;
        ++pauses_;
      } else if (rate_shift_ != 0 && now_ns >= resumed_ns_ + kRampStepNs) {
        --rate_shift_;
        resumed_ns_ = now_ns;
      }
      break;
    case Phase::kPaused:
      if (now_ns >= paused_ns_ + wire::kProbeTimeNs) phase_ = Phase::kLost;
      break;
    case Phase::kLost:
      break;
  }
  return phase_;
}

uint64_t PeerLease::next_tick_ns() const {
  switch (phase_) {
    case Phase::kUnconfirmed:
      return std::min(next_beacon_ns_, lease_until_ns_);
    case Phase::kHeld: {
      const uint64_t until =
          rate_shift_ != 0 ? std::min(lease_until_ns_, resumed_ns_ + kRampStepNs) : lease_until_ns_;
      return std::min(next_beacon_ns_, until);
    }
    case Phase::kPaused:
      return std::min(next_beacon_ns_, paused_ns_ + wire::kProbeTimeNs);
    case Phase::kLost:
      break;
  }
  return UINT64_MAX;
}

}  // namespace weir::dataplane
