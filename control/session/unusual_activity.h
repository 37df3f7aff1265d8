// Sending that nobody admitted, judged by what the dataplane itself publishes.
#ifndef WEIR_CONTROL_SESSION_UNUSUAL_ACTIVITY_H_
#define WEIR_CONTROL_SESSION_UNUSUAL_ACTIVITY_H_

#include <cstdint>
#include <optional>

#include "measurement/v1/notice.pb.h"
#include "shm/segment.h"

namespace weir::control {

// What gave cause for a notice. Times are ns since the Unix epoch, rates at the IP layer.
struct Unusual {
  measurement::v1::Notice::Trigger trigger = measurement::v1::Notice::TRIGGER_UNSPECIFIED;
  uint64_t from_ns = 0;
  uint64_t to_ns = 0;
  double admitted_bps = 0;
  double observed_bps = 0;
  double observed_pps = 0;
};

// A flow that sends. Its counters must have been read before its status: a status that is newer
// can only excuse it.
struct SendingFlow {
  shm::TxCounters tx{};
  shm::FlowStatus status{};
  uint64_t admitted_bps = 0;  // 0: not known.
  uint64_t burst_bits = 0;    // That may leave at once, beyond the rate.
  bool proven = false;        // Its target is, or was.
  bool bench = false;         // Nobody proves and nobody answers.
};

// By the dataplane's own stamps, so that no delay in reading them matters. All bounds are wider
// than the dataplane's own by what a worker that was off its CPU may take: it is the dataplane
// that keeps them, and this that sees when it does not.
std::optional<Unusual> JudgeFlow(const SendingFlow& flow);

// Packets of one port that no flow and no slow path accounts for. Not thread-safe.
class StrayEgress {
 public:
  // Signals, ARP, ND and echo replies: what the slow path may send by its own limits.
  static constexpr uint64_t kSlowPathPps = 2'000;

  // About once a second: cumulative counters of the port, and of the flows of its workers. The two
  // are not read at one instant: what counts is what the port is ahead of them beyond the most it
  // ever was. Counters that run backwards begin anew.
  std::optional<Unusual> Observe(uint64_t port_packets, uint64_t port_bytes, uint64_t flow_packets,
                                 uint64_t now_unix_ns, int64_t steady_ns);

 private:
  bool begun_ = false;
  uint64_t port_packets_ = 0;
  uint64_t port_bytes_ = 0;
  uint64_t flow_packets_ = 0;
  uint64_t unix_ns_ = 0;
  int64_t steady_ns_ = 0;
  double most_ahead_ = 0;  // Packets the port was ahead of the flows.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_UNUSUAL_ACTIVITY_H_
