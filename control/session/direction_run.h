// One direction of a session: this node's end, what the peer says of its own, and the result of
// both.
#ifndef WEIR_CONTROL_SESSION_DIRECTION_RUN_H_
#define WEIR_CONTROL_SESSION_DIRECTION_RUN_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/collector/calibration.h"
#include "control/collector/interval_series.h"
#include "control/session/local_end.h"
#include "measurement/v1/measurement.pb.h"
#include "record/v1/record.pb.h"

namespace weir::control {

// Used by one session's thread only.
class DirectionRun {
 public:
  DirectionRun(std::unique_ptr<LocalEnd> end, record::v1::TestParameters requested,
               std::vector<std::string> reduced_by, const CalibrationStore* calibration = nullptr)
      : end_(std::move(end)),
        requested_(std::move(requested)),
        reduced_by_(std::move(reduced_by)),
        calibration_(calibration) {}

  LocalEnd& end() { return *end_; }
  const LocalEnd& end() const { return *end_; }
  const record::v1::TestParameters& requested() const { return requested_; }

  // What the peer says of its end. False: it contradicts the protocol (README 2.3).
  bool OnReport(const measurement::v1::Report& report);
  bool OnSenderFinal(const measurement::v1::SenderFinal& final);
  bool OnReceiverFinal(const measurement::v1::ReceiverFinal& final);

  // A sending end: its flows are done; once.
  std::optional<measurement::v1::SenderFinal> TakeSenderFinal();
  // A receiving end: the peer has sent everything and it is here, or nothing came for 500 ms;
  // once. Stops the flows.
  std::optional<measurement::v1::ReceiverFinal> TakeReceiverFinal(
      std::chrono::steady_clock::time_point now, bool clocks_synchronised);
  // The peer's last word is being waited for more closely than a sampling period.
  bool Draining() const { return peer_sender_final_.has_value() && !own_final_.has_value(); }
  bool HasOwnFinal() const { return own_sender_final_.has_value() || own_final_.has_value(); }
  // The sender has sent everything.
  bool LoadIsOver() const {
    return own_sender_final_.has_value() || peer_sender_final_.has_value();
  }
  // How the load ended, as a name; valid once it is over.
  std::string EndReason() const {
    return end_->sends() ? own_sender_final_->end_reason() : peer_sender_final_->end_reason();
  }
  // Both ends have said their last word.
  bool Settled() const;

  // The newest interval, from whichever end knows a field; empty before the first.
  std::optional<record::v1::Interval> LatestInterval() const;

  // Of what both ends know by now. `end_reason` empty or a normal one: not cut short.
  record::v1::DirectionResult Result(const std::string& end_reason, bool clocks_synchronised);

 private:
  record::v1::DirectionResult Received(bool clocks_synchronised);
  measurement::v1::SenderCounters Sent() const;
  void MergeSentIntervals(record::v1::DirectionResult* result) const;
  void Judge(const std::string& end_reason, record::v1::DirectionResult* result) const;

  const std::unique_ptr<LocalEnd> end_;
  const record::v1::TestParameters requested_;
  const std::vector<std::string> reduced_by_;
  const CalibrationStore* const calibration_;  // Null: what this host can do is not known.

  measurement::v1::Report peer_report_;  // The last.
  uint64_t peer_report_ns_ = 0;          // 0: none yet.
  IntervalSeries peer_series_;           // Its reports as intervals.
  std::optional<measurement::v1::SenderFinal> peer_sender_final_;
  std::optional<measurement::v1::ReceiverFinal> peer_receiver_final_;
  std::optional<measurement::v1::SenderFinal> own_sender_final_;
  std::optional<record::v1::DirectionResult> own_final_;  // This end received.
  uint64_t drain_received_ = 0;
  std::chrono::steady_clock::time_point drain_moved_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_DIRECTION_RUN_H_
