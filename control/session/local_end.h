// This node's end of one direction: its flows from programming to the final counters.
#ifndef WEIR_CONTROL_SESSION_LOCAL_END_H_
#define WEIR_CONTROL_SESSION_LOCAL_END_H_

#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/collector/calibration.h"
#include "control/collector/flow_counters.h"
#include "control/collector/interval_series.h"
#include "control/collector/limit.h"
#include "control/collector/usage_window.h"
#include "control/dataplane/dataplane.h"
#include "control/session/unusual_activity.h"
#include "dataplane/v1/dataplane.pb.h"
#include "measurement/v1/measurement.pb.h"
#include "record/v1/record.pb.h"

namespace weir::control {

// The slots of one end and what the peer is told of them. Gives the slots back when destroyed.
class EndSlots {
 public:
  // Takes `streams` slots; draws a cookie for each if this end receives. `ip`: the port's
  // address in text.
  static absl::StatusOr<EndSlots> Reserve(SlotAllocator* slots, record::v1::Direction direction,
                                          uint32_t streams, bool receives, const std::string& ip);
  // Of slots that were allocated, and ends to go with them.
  EndSlots(SlotAllocator* allocator, std::vector<FlowSlot> slots,
           std::vector<measurement::v1::FlowEnd> ends)
      : allocator_(allocator), slots_(std::move(slots)), ends_(std::move(ends)) {}

  EndSlots() = default;
  EndSlots(EndSlots&& other) noexcept { *this = std::move(other); }
  EndSlots& operator=(EndSlots&& other) noexcept;
  ~EndSlots();

  const std::vector<FlowSlot>& slots() const { return slots_; }
  const std::vector<measurement::v1::FlowEnd>& ends() const { return ends_; }

 private:
  SlotAllocator* allocator_ = nullptr;
  std::vector<FlowSlot> slots_;
  std::vector<measurement::v1::FlowEnd> ends_;  // By stream.
};

// What a flow spec needs beyond the ends.
struct SessionTerms {
  std::string session_id;  // 16 bytes.
  std::string session_key;
  std::string port;
  uint64_t setup_timeout_ns = 15'000'000'000;
  std::optional<dataplane::v1::Bench> bench = std::nullopt;  // Neither proof nor peer lease.
};

// What the receiver's feedback said last of all streams together (README 5.4).
struct PeerFeedback {
  uint64_t received = 0;
  uint64_t highest = 0;  // Sum over streams of the highest sequence plus one.
};

// Used by one session's thread only.
class LocalEnd {
 public:
  // `sends`: this node is the sender of the direction's load. `parameters` as granted.
  LocalEnd(Dataplane* dataplane, std::shared_ptr<const Connection> connection,
           record::v1::Direction direction, bool sends, record::v1::TestParameters parameters,
           EndSlots slots);
  ~LocalEnd();  // Stops and releases what is still programmed.
  LocalEnd(const LocalEnd&) = delete;
  LocalEnd& operator=(const LocalEnd&) = delete;

  record::v1::Direction direction() const { return direction_; }
  bool sends() const { return sends_; }
  const record::v1::TestParameters& parameters() const { return parameters_; }

  // Programs each stream towards the peer's end of it: all or none.
  absl::Status Program(const SessionTerms& terms,
                       const std::vector<measurement::v1::FlowEnd>& peer_ends);
  // Opens the window the evidence is taken from; a sending end is armed.
  absl::Status Start();

  // The state of a flow changed, by event; Poll reads the same from the segment, so that no
  // lost event can stall a session.
  void OnFlow(const dataplane::v1::FlowInfo& flow);
  void Poll();

  // As the dataplane told of them when they were programmed.
  std::vector<dataplane::v1::FlowInfo> Flows() const;

  bool Proven() const;    // All flows are, or were.
  bool Finished() const;  // All flows have ended.
  // How the flows ended, as a name: that of the first that failed, else of the first.
  std::string EndReason() const;
  // A flow ended that should not have: the reason's name.
  std::optional<std::string> Failure() const;

  // Reads the counters. True: a per-second interval ended now.
  bool Sample(uint64_t now_ns);
  uint64_t NextCutNs() const { return series_.NextCutNs(); }
  // Cumulative, with the busy share since the last call. Call it when Sample returned true.
  measurement::v1::Report TakeReport(uint64_t now_ns);

  // Stops the flows and reads the final counters; with a dead dataplane, what it left.
  void Stop();
  // Frees the flows' slots. Nothing can be read afterwards.
  void Release();

  const SenderTotals& sender() const { return sender_; }
  const ReceiverTotals& receiver() const { return receiver_; }
  const std::vector<record::v1::Interval>& intervals() const { return series_.intervals(); }
  double busy() const { return busy_; }        // From Start to the last packet.
  double starved() const { return starved_; }  // Likewise: share the worker was kept from polling.

  measurement::v1::SenderCounters SenderReport() const;
  PeerFeedback Feedback() const;     // Of a sending end.
  uint64_t HighestReceived() const;  // Of a receiving end: sum over streams, plus one each.
  // Of a bench's sink: each stream's final sequence, if its sender has said it.
  std::vector<std::optional<uint64_t>> AnnouncedEnds() const;
  bool LinkUp() const;  // Of the port.
  // Of a sending end: what one of its flows does that nobody admitted.
  std::optional<Unusual> FindUnusual() const;
  // What this end's workers can do by themselves of the packets there were.
  void AddCapability(const CalibrationStore& calibration, LimitEvidence* evidence) const;
  // Of a receiving end, after Stop. `final_sequence` empty: unknown.
  record::v1::DirectionResult Measure(const std::vector<uint64_t>& final_sequence,
                                      bool clocks_synchronised);

 private:
  struct Flow {
    FlowSlot slot;
    dataplane::v1::FlowInfo info;  // As last known.
    bool programmed = false;
    bool was_proven = false;
    uint64_t admitted_bps = 0;
  };

  dataplane::v1::FlowSpec Spec(const SessionTerms& terms, const measurement::v1::FlowEnd& peer,
                               uint32_t stream) const;
  void Advance(Flow* flow, dataplane::v1::FlowState state, dataplane::v1::EndReason reason);
  void ReadTotals();
  Cumulative Now() const;
  std::vector<RxFlow> RxFlows() const;
  const std::set<uint32_t>& Workers() const { return sends_ ? sender_.workers : receiver_.workers; }

  Dataplane* const dataplane_;
  const std::shared_ptr<const Connection> connection_;
  const record::v1::Direction direction_;
  const bool sends_;
  const record::v1::TestParameters parameters_;
  const EndSlots slots_;

  std::vector<Flow> flows_;
  SenderTotals sender_;
  ReceiverTotals receiver_;
  IntervalSeries series_;
  std::optional<UsageWindow> test_window_;  // From Start on.
  std::optional<UsageWindow> report_window_;
  uint64_t started_ns_ = 0;
  bool bench_ = false;
  // As of the last reading that found new packets, so that waiting does not dilute them.
  double busy_ = 0;
  double starved_ = 0;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_LOCAL_END_H_
