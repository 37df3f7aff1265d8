// The burst that the flows of one TX queue fill in turn, so that many slow flows cost the port one
// call and not one each.
#ifndef WEIR_DATAPLANE_TX_TX_BURST_H_
#define WEIR_DATAPLANE_TX_TX_BURST_H_

#include <rte_mbuf.h>

#include <cstdint>
#include <span>

#include "dataplane/tx/pacer.h"

namespace weir::dataplane {

class TxFlow;

inline constexpr uint32_t kTxBurst = 32;           // Packets a burst when paced.
inline constexpr uint32_t kTxSaturatedBurst = 64;  // Packets a burst of a flow that has no rate.

// A TX queue as its worker uses it.
struct TxQueue {
  uint16_t port = 0;  // ethdev id
  uint16_t queue = 0;
  rte_mempool* pool = nullptr;
  // How far behind a flow may be and still catch up; older deadlines are given up, as unsent.
  PaceTime max_lag = UINT64_MAX;
};

// A packet that was due, and the state of its flow before it, to go back to if it is refused.
struct PlannedPacket {
  PaceTime due;
  PaceTime behind;      // The flow's.
  uint32_t size;        // Which of the flow's sizes.
  uint32_t burst_left;  // The flow's.
};

// Packets of one flow in a burst.
struct TxSegment {
  TxFlow* flow;
  const PlannedPacket* planned;
  uint32_t count;
  uint32_t rate_shift;
  uint64_t first_ns;  // When they were stamped.
  uint64_t last_ns;
};

// Worker only. Packets that were planned stay in it no longer than one round of the worker.
class TxBurst {
 public:
  TxBurst() = default;
  explicit TxBurst(const TxQueue& queue) : queue_(queue) {}

  const TxQueue& queue() const { return queue_; }

  // Several flows without a rate share it: each sends one packet in its turn. One alone sends all
  // of a burst.
  bool shared() const { return shared_; }
  void set_shared(bool shared) { shared_ = shared; }

  // How far a flow may be behind for no other reason than that others have their turns, too. It
  // then sends all that is due at once. At most queue().max_lag.
  PaceTime slack() const { return slack_; }
  void set_slack(PaceTime slack) { slack_ = slack; }

  uint32_t room() const { return kTxBurst - count_; }

  // Where a flow puts its next packets, at most room(); Append takes as many as it made.
  rte_mbuf** mbufs() { return mbufs_ + count_; }
  PlannedPacket* planned() { return planned_ + count_; }
  void Append(const TxSegment& segment) {
    segments_[segment_count_++] = segment;
    count_ += segment.count;
  }

  // A device that is not connected takes nothing, and its driver is not called.
  bool connected() const { return connected_; }
  void set_connected(bool connected) { connected_ = connected; }

  // Sends what is in it and tells each flow what became of its packets. Returns how many left.
  uint32_t Flush();

  // Fills `mbufs` with empty packets, those that the port refused first: they are still in the
  // core's cache, and, if they go to the same flow, carry its headers. False: there are not so
  // many.
  bool Take(rte_mbuf** mbufs, uint32_t count);

  // Passes `count` packets to the port, and keeps those it refuses for the next Take. Returns how
  // many left.
  uint32_t Send(rte_mbuf** mbufs, uint32_t count);

  // Empty packets that are kept here until SendKept: a burst of them as long as the pool has any.
  std::span<rte_mbuf* const> Keep() {
    if (kept_count_ < kTxSaturatedBurst) KeepMore();
    return {kept_, kept_count_};
  }
  // The first `count` of them were made: as Send.
  uint32_t SendKept(uint32_t count);

  // Frees what is kept: before the pool is.
  void FreeKept();

  // Packets that were due and have not left, since the last call.
  void AddRefused(uint64_t count) { refused_ += count; }
  uint64_t TakeRefused() {
    const uint64_t refused = refused_;
    refused_ = 0;
    return refused;
  }

 private:
  void KeepMore();
  uint32_t PassToPort(rte_mbuf** mbufs, uint32_t count);

  TxQueue queue_;
  PaceTime slack_ = UINT64_MAX;
  bool shared_ = false;
  bool connected_ = true;
  uint32_t count_ = 0;
  uint32_t segment_count_ = 0;
  uint32_t kept_count_ = 0;
  uint64_t refused_ = 0;
  rte_mbuf* kept_[kTxSaturatedBurst];
  rte_mbuf* mbufs_[kTxBurst];
  PlannedPacket planned_[kTxBurst];
  TxSegment segments_[kTxBurst];
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_TX_TX_BURST_H_
