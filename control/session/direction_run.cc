#include "control/session/direction_run.h"

#include <algorithm>
#include <utility>

#include "control/collector/limit.h"
#include "control/session/end_reason.h"
#include "control/session/mean_rate.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;
using record::v1::DirectionResult;
using record::v1::Interval;

constexpr std::chrono::milliseconds kQuietAfterLastPacket{500};

// A peer's list of intervals is as long as the test, give or take a little.
bool PlausibleIntervals(const DirectionResult& result, uint64_t duration_ns) {
  return static_cast<uint64_t>(result.intervals_size()) <=
         duration_ns / IntervalSeries::kLengthNs + 10;
}

double Rate(uint64_t bytes, uint64_t first_ns, uint64_t last_ns) {
  return last_ns > first_ns
             ? static_cast<double>(bytes) * 8e9 / static_cast<double>(last_ns - first_ns)
             : 0;
}

uint64_t Between(uint64_t first_ns, uint64_t last_ns) {
  return last_ns > first_ns ? last_ns - first_ns : 0;
}

// From the first packet to the end of the last, which takes as long as the others did.
double ReceivingShare(uint64_t span_ns, uint64_t lasted_ns, uint64_t packets, uint32_t streams) {
  if (lasted_ns == 0 || packets <= streams) return 1;
  const double gaps = static_cast<double>(packets - streams);
  return static_cast<double>(span_ns) / static_cast<double>(lasted_ns) *
         (static_cast<double>(packets) / gaps);
}

}  // namespace

bool DirectionRun::OnReport(const ms::Report& report) {
  if (end_->sends() ? !report.has_receiver() : !report.has_sender()) return false;
  Cumulative now;
  if (end_->sends()) {
    const ms::ReceiverCounters& receiver = report.receiver();
    now = {.received = receiver.received(),
           .lost = receiver.lost(),
           .reordered = receiver.reordered(),
           .duplicated = receiver.duplicated(),
           .ip_bytes = receiver.ip_bytes(),
           .jitter_ns = receiver.jitter_ns()};
  } else {
    now = {.sent = report.sender().sent(), .unsent = report.sender().unsent()};
  }
  // A report before the first packet only says that the peer is alive.
  if (now.sent == 0 && now.received == 0) return true;
  if (!peer_series_.begun() && report.at_unix_ns() > IntervalSeries::kLengthNs) {
    // Each report ends an interval of the peer's; the first one began a second before.
    peer_series_.Begin(report.at_unix_ns() - IntervalSeries::kLengthNs);
  }
  const uint64_t longest = end_->parameters().duration_ns() / IntervalSeries::kLengthNs + 10;
  if (!peer_series_.begun() || peer_series_.intervals().size() > longest) return false;
  peer_series_.Cut(report.at_unix_ns(), now);
  peer_report_ = report;
  peer_report_ns_ = report.at_unix_ns();
  return true;
}

bool DirectionRun::OnSenderFinal(const ms::SenderFinal& final) {
  if (end_->sends() || peer_sender_final_.has_value() ||
      final.final_sequence_size() != static_cast<int>(end_->parameters().streams())) {
    return false;
  }
  peer_sender_final_ = final;
  peer_series_.Finish(final.total().last_tx_unix_ns(),
                      {.sent = final.total().sent(), .unsent = final.total().unsent()});
  drain_received_ = end_->receiver().received;
  drain_moved_ = std::chrono::steady_clock::now();
  return true;
}

bool DirectionRun::OnReceiverFinal(const ms::ReceiverFinal& final) {
  if (!end_->sends() || !own_sender_final_.has_value() || peer_receiver_final_.has_value() ||
      final.result().direction() != end_->direction() ||
      !PlausibleIntervals(final.result(), end_->parameters().duration_ns())) {
    return false;
  }
  peer_receiver_final_ = final;
  return true;
}

std::optional<ms::SenderFinal> DirectionRun::TakeSenderFinal() {
  if (!end_->sends() || own_sender_final_.has_value() || !end_->Finished()) return std::nullopt;
  end_->Stop();
  ms::SenderFinal final;
  final.set_direction(end_->direction());
  final.mutable_final_sequence()->Add(end_->sender().final_sequence.begin(),
                                      end_->sender().final_sequence.end());
  *final.mutable_total() = end_->SenderReport();
  final.set_end_reason(end_->EndReason());
  own_sender_final_ = final;
  return final;
}

std::optional<ms::ReceiverFinal> DirectionRun::TakeReceiverFinal(
    std::chrono::steady_clock::time_point now, bool clocks_synchronised) {
  if (!Draining()) return std::nullopt;
  const ReceiverTotals& totals = end_->receiver();
  if (totals.received != drain_received_) {
    drain_received_ = totals.received;
    drain_moved_ = now;
  }
  const std::vector<uint64_t> final_sequence(peer_sender_final_->final_sequence().begin(),
                                             peer_sender_final_->final_sequence().end());
  if (!EverythingArrived(totals, final_sequence) && now < drain_moved_ + kQuietAfterLastPacket) {
    return std::nullopt;
  }
  end_->Stop();
  own_final_ = end_->Measure(final_sequence, clocks_synchronised);
  ms::ReceiverFinal final;
  *final.mutable_result() = *own_final_;
  return final;
}

bool DirectionRun::Settled() const {
  return end_->sends() ? peer_receiver_final_.has_value()
                       : own_final_.has_value() && peer_sender_final_.has_value();
}

std::optional<Interval> DirectionRun::LatestInterval() const {
  const std::vector<Interval>& own = end_->intervals();
  const std::vector<Interval>& peer = peer_series_.intervals();
  const std::vector<Interval>& received = end_->sends() ? peer : own;
  const std::vector<Interval>& sent = end_->sends() ? own : peer;
  if (received.empty()) return std::nullopt;
  Interval interval = received.back();
  if (interval.index() < sent.size()) {
    interval.set_sent(sent[interval.index()].sent());
    interval.set_unsent(sent[interval.index()].unsent());
  }
  return interval;
}

DirectionResult DirectionRun::Received(bool clocks_synchronised) {
  if (own_final_.has_value()) return *own_final_;
  if (!end_->sends()) {
    std::vector<uint64_t> final_sequence;
    if (peer_sender_final_.has_value()) {
      final_sequence.assign(peer_sender_final_->final_sequence().begin(),
                            peer_sender_final_->final_sequence().end());
    }
    own_final_ = end_->Measure(final_sequence, clocks_synchronised);
    return *own_final_;
  }
  if (peer_receiver_final_.has_value()) return peer_receiver_final_->result();
  // Cut short: the receiver's last report is all there is.
  DirectionResult result;
  const ms::ReceiverCounters& counters = peer_report_.receiver();
  // Feedback on the test's own path is newer, but tells only these two.
  const PeerFeedback feedback = end_->Feedback();
  const bool newer = feedback.received > counters.received();
  result.set_received(newer ? feedback.received : counters.received());
  result.set_lost(newer ? feedback.highest - feedback.received : counters.lost());
  result.set_reordered(counters.reordered());
  result.set_duplicated(counters.duplicated());
  result.set_late(counters.late());
  result.set_received_ip_bytes(counters.ip_bytes());
  result.set_jitter_ns(counters.jitter_ns());
  result.set_receiver_busy(counters.busy());
  result.set_receiver_port_missed(counters.port_missed());
  const std::vector<Interval>& intervals = peer_series_.intervals();
  result.mutable_intervals()->Add(intervals.begin(), intervals.end());
  if (!intervals.empty()) {
    const uint64_t length_ns = intervals.back().start_ns() + intervals.back().length_ns();
    result.set_achieved_ip_bps(Rate(counters.ip_bytes(), 0, length_ns));
  }
  return result;
}

ms::SenderCounters DirectionRun::Sent() const {
  if (end_->sends()) return end_->SenderReport();
  if (peer_sender_final_.has_value()) return peer_sender_final_->total();
  return peer_report_.sender();
}

void DirectionRun::MergeSentIntervals(DirectionResult* result) const {
  const std::vector<Interval>& sent = end_->sends() ? end_->intervals() : peer_series_.intervals();
  for (Interval& interval : *result->mutable_intervals()) {
    if (interval.index() >= sent.size()) continue;
    interval.set_sent(sent[interval.index()].sent());
    interval.set_unsent(sent[interval.index()].unsent());
  }
}

DirectionResult DirectionRun::Result(const std::string& end_reason, bool clocks_synchronised) {
  DirectionResult result = Received(clocks_synchronised);
  result.DiscardUnknownFields();  // The record's schema is closed, the peer may be newer.
  const ms::SenderCounters sent = Sent();
  result.set_direction(end_->direction());
  result.set_admitted_ip_bps(MeanRateBps(end_->parameters()));
  // A sender that did not say its last word sent at least what arrived.
  result.set_sent(std::max<uint64_t>(sent.sent(), end_->sends() ? 0 : end_->HighestReceived()));
  result.set_unsent(sent.unsent());
  result.set_sender_port_rejected(sent.rejected());
  result.set_sender_busy(std::clamp(sent.busy(), 0.0, 1.0));
  result.set_receiver_busy(std::clamp(result.receiver_busy(), 0.0, 1.0));
  MergeSentIntervals(&result);
  Judge(end_reason, &result);
  return result;
}

void DirectionRun::Judge(const std::string& end_reason, DirectionResult* result) const {
  if (result->sent() == 0 && result->received() == 0) {
    result->set_limit(record::v1::LIMIT_UNSPECIFIED);
    result->set_limit_detail("no test packet was sent");
    return;
  }
  const ms::SenderCounters sent = Sent();
  LimitEvidence evidence;
  evidence.requested_bps =
      requested_.rate_max() ? 0 : static_cast<uint64_t>(MeanRateBps(requested_));
  evidence.granted_bps = static_cast<uint64_t>(MeanRateBps(end_->parameters()));
  evidence.reduced_by = reduced_by_;
  // A test that ended another way lasted as long as packets flowed.
  const bool whole = end_reason == EndReasonName(dataplane::v1::END_DURATION);
  const uint64_t sending_ns = Between(sent.first_tx_unix_ns(), sent.last_tx_unix_ns());
  const uint64_t receiving_ns = Between(result->first_rx_unix_ns(), result->last_rx_unix_ns());
  const uint64_t lasted_ns =
      whole ? end_->parameters().duration_ns() : std::max(sending_ns, receiving_ns);
  evidence.offered_bps = Rate(sent.ip_bytes(), 0, lasted_ns);
  evidence.delivered_bps = Rate(result->received_ip_bytes(), 0, lasted_ns);
  evidence.achieved_bps = result->achieved_ip_bps();
  if (whole) {
    evidence.receiving =
        ReceivingShare(receiving_ns, lasted_ns, result->received(), end_->parameters().streams());
  }
  evidence.sent = result->sent();
  evidence.unsent = result->unsent();
  evidence.rejected = result->sender_port_rejected();
  evidence.lost = result->lost();
  evidence.sender_busy = result->sender_busy();
  evidence.receiver_busy = result->receiver_busy();
  evidence.receiver_port_missed = result->receiver_port_missed();
  // Only the receiving end has the figure; the peer's says so by its own verdict.
  evidence.receiver_starved = end_->sends() ? 0 : end_->starved();
  evidence.receiver_says_starved = result->limit() == record::v1::LIMIT_RECEIVER;
  if (!IsNormalEndName(end_reason)) evidence.ended_early = end_reason;
  evidence.by_peer = IsPeerFault(end_reason);
  if (calibration_ != nullptr) end_->AddCapability(*calibration_, &evidence);
  LimitVerdict verdict = JudgeLimit(evidence);
  result->set_limit(verdict.limit);
  result->set_limit_detail(std::move(verdict.detail));
}

}  // namespace weir::control
