// What limited the achieved rate (DESIGN section 8): a pure function of the evidence.
#ifndef WEIR_CONTROL_COLLECTOR_LIMIT_H_
#define WEIR_CONTROL_COLLECTOR_LIMIT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "record/v1/record.pb.h"

namespace weir::control {

// One direction's. Rates are IP-layer bit/s. The achieved rate spans the first packet to the last:
// it alone would call a test that stood still but for a moment a good one.
struct LimitEvidence {
  uint64_t requested_bps = 0;  // 0: "max" was asked for.
  uint64_t granted_bps = 0;    // 0: nothing capped the rate.
  std::vector<std::string> reduced_by;
  double offered_bps = 0;    // What the sender's port accepted, over the time the test lasted.
  double delivered_bps = 0;  // What the receiver got, over the same time.
  double achieved_bps = 0;   // As stamped by the receiver.
  // The time from the first packet to the end of the last, as a share of the time the test lasted.
  double receiving = 1;
  uint64_t sent = 0;
  uint64_t unsent = 0;
  uint64_t rejected = 0;  // Refusals by the sender's port.
  uint64_t lost = 0;
  double sender_busy = 0;  // 0..1.
  double receiver_busy = 0;
  uint64_t receiver_port_missed = 0;
  // Time the receiving worker was kept from polling, as a share of the test.
  double receiver_starved = 0;
  bool receiver_says_starved = false;  // Its own verdict, where it alone has the figure.
  // What the sending, and the receiving, workers of this host can do of such packets by
  // themselves (weir calibrate), packets/s; 0: not known, or not this host's end.
  double generate_pps = 0;
  double sink_pps = 0;
  double mean_ip_bytes = 0;  // Of a packet.
  std::string ended_early;   // Why; empty: the test ran to its end.
  bool by_peer = false;      // That was the peer's silence or stop.
};

struct LimitVerdict {
  record::v1::Limit limit = record::v1::LIMIT_UNSPECIFIED;
  std::string detail;  // A sentence: the evidence and the numbers.
};

// A rate within this share of what was granted counts as met.
inline constexpr double kRateMet = 0.99;
// Below this share of what was granted, or of the time it was granted for, the achieved rate tells
// of a part of the test alone.
inline constexpr double kThroughout = 0.9;
// Above this a worker has no time left.
inline constexpr double kWorkerSaturated = 0.95;
// A receiver kept from its CPU for more than this share of the test was starved.
inline constexpr double kReceiverStarved = 0.01;
// At this share of what it can do by itself the tester is the limit.
inline constexpr double kTesterAtLimit = 0.95;

LimitVerdict JudgeLimit(const LimitEvidence& evidence);
// Of a receiving end that knows nothing of its sender but how many packets there were.
LimitVerdict JudgeReceived(const LimitEvidence& evidence);

// The receiving end knows alone that it was starved: it says so in its ReceiverFinal. A port whose
// queue bridged the time, and missed nothing, lost nothing by it.
bool ReceiverStarved(double starved_share, uint64_t port_missed);

// "1.25 Gbit/s".
std::string FormatRate(double bps);

}  // namespace weir::control

#endif  // WEIR_CONTROL_COLLECTOR_LIMIT_H_
