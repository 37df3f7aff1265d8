// One direction of the forwarder: receive, judge, delay, send.
#ifndef WEIR_TESTS_IMPAIR_LANE_H_
#define WEIR_TESTS_IMPAIR_LANE_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tests/impair/impairment.h"

struct rte_mbuf;
struct rte_mempool;

namespace weir::impair {

// Exact: every packet received is in one of the others when the lane is drained.
struct LaneCounters {
  uint64_t received = 0;
  uint64_t test_packets = 0;  // Of received: UDP whose payload names a flow.
  uint64_t dropped = 0;
  uint64_t duplicated = 0;  // Copies made.
  uint64_t swapped = 0;     // Held back until all of swap_distance packets had passed.
  uint64_t flushed = 0;     // Held back, but no more packets came.
  uint64_t forwarded = 0;   // Accepted by the sending port, copies included.
};

// A port to receive from, and how many queues it has.
struct Receiver {
  uint16_t port = 0;
  uint16_t queues = 1;
};

// Forwards from one port to another, in order and without loss but for what `impairment`
// says; what the sending port refuses is offered again. One thread.
class Lane {
 public:
  // Packets are sent on queue 0, or on the first `spread` queues in turn, a few at a time.
  Lane(Receiver from, uint16_t to, rte_mempool* pool, Impairment impairment, uint16_t spread = 1);

  // Receives and sends what is due. True if anything moved.
  bool Poll(uint64_t now_ns);

  // When the next packet falls due, at most `latest_ns`. One that was due and that the port refused
  // waits for the next look: who asks a full port without a pause keeps its reader from the CPU.
  uint64_t NextDue(uint64_t now_ns, uint64_t latest_ns) const;

  const LaneCounters& counters() const { return counters_; }
  std::string Json() const;

 private:
  struct Queued {
    uint64_t arrived_ns;
    uint64_t due_ns;
    rte_mbuf* packet;
  };

  void Judge(rte_mbuf* packet, uint64_t now_ns);
  void Pass(rte_mbuf* packet, uint64_t now_ns, uint64_t delay_ns);
  void Enqueue(rte_mbuf* packet, uint64_t now_ns, uint64_t delay_ns);
  bool Send(std::deque<Queued>* queue, uint64_t now_ns);

  const Receiver from_;
  const uint16_t to_;
  const uint16_t spread_;
  uint16_t queue_ = 0;  // Of the next burst.
  rte_mempool* const pool_;
  const Impairment impairment_;
  HoldBack<rte_mbuf*> hold_back_;
  uint64_t last_test_packet_ns_ = 0;
  std::deque<Queued> delayed_;     // By due time: the delay is one constant.
  std::deque<Queued> others_;      // Not delayed, so they may overtake.
  std::vector<uint64_t> held_ns_;  // How long each delayed packet really was held.
  LaneCounters counters_;
};

// The DSCP of a UDP packet (IPv4 or IPv6, at most one VLAN tag) that is a Weir test packet: long
// enough, and not marked as a signal (proto/README.md section 5.2). Nothing: it is none.
std::optional<uint8_t> TestPacketDscp(const rte_mbuf* packet);

}  // namespace weir::impair

#endif  // WEIR_TESTS_IMPAIR_LANE_H_
