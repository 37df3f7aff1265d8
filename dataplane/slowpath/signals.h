// Sends and judges signals: the address proof, beacons and feedback of proto/README.md
// sections 5.2 to 5.5. Decides nothing about a flow's life; that is the flow manager's.
#ifndef WEIR_DATAPLANE_SLOWPATH_SIGNALS_H_
#define WEIR_DATAPLANE_SLOWPATH_SIGNALS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/flow/flow.h"
#include "dataplane/slowpath/proof.h"
#include "dataplane/slowpath/reply_limiter.h"
#include "dataplane/slowpath/signal_frame.h"
#include "dataplane/slowpath/slow_path.h"
#include "shm/segment.h"

namespace weir::dataplane {

// Main lcore only. now_ns is SteadyNs; wall_ns, which peers compare, the Unix clock.
class Signals {
 public:
  struct Counters {
    uint64_t hellos = 0;  // Received.
    uint64_t challenges = 0;
    uint64_t proofs_accepted = 0;
    uint64_t proofs_refused = 0;
    uint64_t feedback_refused = 0;
  };

  Signals(SlowPath& slow_path, const SecretKey& boot_secret, size_t ports)
      : slow_path_(slow_path), boot_secret_(boot_secret), limiters_(ports) {}

  // RX end. Each is sent to the flow's remote end; false if its neighbour is not known yet.
  bool SendHello(const Flow& flow);
  bool SendFeedback(Flow& flow, uint64_t received, uint64_t highest_sequence);
  // TX end.
  bool SendBeacon(Flow& flow, uint64_t next_sequence, uint64_t now_ns, uint64_t wall_ns);
  // Of a bench: how many packets there were.
  bool SendEnd(const Flow& flow, uint64_t final_sequence);

  // TX end: a HELLO is answered with a CHALLENGE or with silence.
  void AnswerHello(const Flow& flow, const SignalFrame& frame, uint64_t now_ns);
  // TX end: true if the frame proves the flow's target.
  bool AcceptProof(const Flow& flow, const SignalFrame& frame, uint64_t now_ns);
  // TX end: true if the peer lease was renewed.
  bool AcceptFeedback(Flow& flow, const SignalFrame& frame, uint64_t now_ns);
  // RX end: answers with a PROOF; false if that could not be sent.
  bool AnswerChallenge(const Flow& flow, const SignalFrame& frame);
  // RX end: notes nonce and clock offset.
  bool AcceptBeacon(Flow& flow, const SignalFrame& frame, uint64_t wall_ns);
  // RX end of a bench: notes the final sequence.
  bool AcceptEnd(Flow& flow, const SignalFrame& frame, uint64_t now_ns);

  const Counters& counters() const { return counters_; }

 private:
  bool Send(const Flow& flow, std::span<const uint8_t> payload);

  SlowPath& slow_path_;
  const SecretKey boot_secret_;
  std::vector<ReplyLimiter> limiters_;  // CHALLENGEs by port.
  Counters counters_;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_SLOWPATH_SIGNALS_H_
