// The sending end's peer lease (proto/README.md section 5.4): load flows only while the
// receiver keeps saying, with fresh proof, that it wants it.
#ifndef WEIR_DATAPLANE_SLOWPATH_PEER_LEASE_H_
#define WEIR_DATAPLANE_SLOWPATH_PEER_LEASE_H_

#include <array>
#include <cstdint>

namespace weir::dataplane {

// Pure state, no packets and no clock of its own. Main lcore only. Times in ns; one may be a little
// before an earlier one, since a round of the main loop has one time for all that it does.
class PeerLease {
 public:
  enum class Phase : uint8_t {
    kUnconfirmed,  // Armed, no feedback yet: beacons only.
    kHeld,
    kPaused,  // Ran out: no load, probing.
    kLost,    // Silent for too long: the flow ends.
  };

  void Arm(uint64_t now_ns);

  // True if a beacon is to be sent now; the next is then due an interval later.
  bool BeaconDue(uint64_t now_ns);
  // Remembers the nonce of a beacon that was sent.
  void RememberNonce(uint64_t nonce, uint64_t now_ns);

  // Feedback whose MAC and 5-tuple were right. False: its counter or nonce is old or unknown.
  bool Renew(uint64_t counter, uint64_t nonce, uint64_t now_ns);

  Phase Tick(uint64_t now_ns);

  // When BeaconDue will next be true; when Tick or BeaconDue will next have something to say.
  uint64_t next_beacon_ns() const { return next_beacon_ns_; }
  uint64_t next_tick_ns() const;

  Phase phase() const { return phase_; }
  // Test packets may leave until then; 0 before the first feedback.
  uint64_t load_until_ns() const { return phase_ == Phase::kHeld ? lease_until_ns_ : 0; }
  // The rate is divided by 2^shift: 2 on resuming, less by one each second.
  uint32_t rate_shift() const { return rate_shift_; }
  uint64_t pauses() const { return pauses_; }

 private:
  struct Nonce {
    uint64_t value = 0;
    uint64_t sent_ns = 0;
  };

  Phase phase_ = Phase::kUnconfirmed;
  uint32_t rate_shift_ = 0;
  uint64_t lease_until_ns_ = 0;
  uint64_t next_beacon_ns_ = 0;
  uint64_t paused_ns_ = 0;
  uint64_t resumed_ns_ = 0;
  uint64_t last_counter_ = 0;
  uint64_t pauses_ = 0;
  std::array<Nonce, 64> nonces_{};  // 64 x 50 ms cover the 3 s a nonce is good for.
  uint32_t nonce_at_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_SLOWPATH_PEER_LEASE_H_
