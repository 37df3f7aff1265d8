#include "control/session/local_end.h"

#include <absl/strings/str_cat.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "control/collector/delay.h"
#include "control/session/clock.h"
#include "control/session/end_reason.h"
#include "control/session/mean_rate.h"
#include "control/session/secrets.h"

namespace weir::control {
namespace {

namespace dp = dataplane::v1;
namespace ms = measurement::v1;

// The dataplane has a histogram for each of so many streams of a direction; more would let one
// session use them all up.
constexpr uint32_t kHistogramStreams = 16;
// Beyond the duration granted, so that the duration and not its cap ends a flow.
constexpr uint64_t kCapMarginNs = 1'000'000'000;
constexpr uint64_t kLargestHeaders = 48;  // IPv6 and UDP.
// First of the dynamic ports (RFC 6335), one for each slot while there are enough.
constexpr uint32_t kFirstUdpPort = 49152;
constexpr uint32_t kUdpPorts = 16384;

dp::Pacing ToPacing(record::v1::Pacing pacing) {
  switch (pacing) {
    case record::v1::POISSON:
      return dp::PACING_POISSON;
    case record::v1::BURST:
      return dp::PACING_BURST;
    case record::v1::RAMP:
      return dp::PACING_RAMP;
    default:
      return dp::PACING_CBR;
  }
}

}  // namespace

absl::StatusOr<EndSlots> EndSlots::Reserve(SlotAllocator* slots, record::v1::Direction direction,
                                           uint32_t streams, bool receives, const std::string& ip) {
  absl::StatusOr<std::vector<FlowSlot>> allocated = slots->Allocate(streams);
  if (!allocated.ok()) return allocated.status();
  EndSlots end;
  end.allocator_ = slots;
  end.slots_ = *std::move(allocated);
  for (uint32_t stream = 0; stream < streams; ++stream) {
    const FlowSlot& slot = end.slots_[stream];
    ms::FlowEnd& told = end.ends_.emplace_back();
    told.set_direction(direction);
    told.set_stream(stream);
    told.set_ip(ip);
    told.set_udp_port(kFirstUdpPort + slot.slot % kUdpPorts);
    told.set_slot(slot.slot);
    told.set_generation(slot.generation);
    if (receives) told.set_cookie(NewCookie(slot.slot));
  }
  return end;
}

EndSlots& EndSlots::operator=(EndSlots&& other) noexcept {
  std::swap(allocator_, other.allocator_);
  std::swap(slots_, other.slots_);
  std::swap(ends_, other.ends_);
  return *this;
}

EndSlots::~EndSlots() {
  if (allocator_ != nullptr) allocator_->Free(slots_);
}

LocalEnd::LocalEnd(Dataplane* dataplane, std::shared_ptr<const Connection> connection,
                   record::v1::Direction direction, bool sends,
                   record::v1::TestParameters parameters, EndSlots slots)
    : dataplane_(dataplane),
      connection_(std::move(connection)),
      direction_(direction),
      sends_(sends),
      parameters_(std::move(parameters)),
      slots_(std::move(slots)) {
  for (const FlowSlot& slot : slots_.slots()) flows_.emplace_back().slot = slot;
}

LocalEnd::~LocalEnd() {
  Stop();
  Release();
}

dp::FlowSpec LocalEnd::Spec(const SessionTerms& terms, const ms::FlowEnd& peer,
                            uint32_t stream) const {
  const ms::FlowEnd& own = slots_.ends()[stream];
  dp::FlowSpec spec;
  spec.set_slot(own.slot());
  spec.set_generation(own.generation());
  spec.set_role(sends_ ? dp::TX : dp::RX);
  spec.set_session_id(terms.session_id);
  spec.set_stream(stream);
  spec.set_port(terms.port);
  spec.mutable_local()->set_ip(IpToBytes(own.ip()));
  spec.mutable_local()->set_udp_port(own.udp_port());
  spec.mutable_remote()->set_ip(IpToBytes(peer.ip()));
  spec.mutable_remote()->set_udp_port(peer.udp_port());
  spec.set_cookie(sends_ ? peer.cookie() : own.cookie());
  spec.set_peer_slot(peer.slot());
  spec.set_peer_generation(peer.generation());
  spec.set_session_key(terms.session_key);
  spec.set_dscp(parameters_.dscp());
  spec.set_setup_timeout_ns(terms.setup_timeout_ns);
  if (terms.bench.has_value()) *spec.mutable_bench() = *terms.bench;
  if (!sends_) {
    spec.set_histogram(stream < kHistogramStreams);
    return spec;
  }
  // The rate is divided so that the streams' rates add up to it exactly.
  const uint64_t streams = flows_.size();
  const auto share_of = [&](uint64_t whole) {
    return whole / streams + (stream < whole % streams ? 1 : 0);
  };
  const uint64_t share = share_of(parameters_.rate_bps());
  spec.set_rate_max(parameters_.rate_max());
  if (!parameters_.rate_max()) spec.set_rate_bps(share);
  spec.set_cap_rate_bps(share);
  // Likewise a number of packets, of which there is one for each stream at least.
  spec.set_packets(share_of(parameters_.packets()));
  spec.set_duration_ns(parameters_.duration_ns());
  spec.set_cap_duration_ns(parameters_.duration_ns() + kCapMarginNs);
  spec.set_pacing(ToPacing(parameters_.pacing()));
  spec.set_burst_packets(parameters_.burst_packets());
  spec.set_ramp_start_bps(share_of(RampStartBps(parameters_)));
  for (const record::v1::PayloadSize& size : parameters_.payload()) {
    dp::PayloadSize* payload = spec.add_payload();
    payload->set_udp_payload_bytes(size.udp_payload_bytes());
    payload->set_weight(size.weight());
  }
  return spec;
}

absl::Status LocalEnd::Program(const SessionTerms& terms,
                               const std::vector<ms::FlowEnd>& peer_ends) {
  if (dataplane_->client().connection() != connection_) {
    return absl::UnavailableError("the dataplane was restarted while the session was negotiated");
  }
  bench_ = terms.bench.has_value();
  for (uint32_t stream = 0; stream < flows_.size(); ++stream) {
    Flow& flow = flows_[stream];
    const dp::FlowSpec spec = Spec(terms, peer_ends[stream], stream);
    flow.admitted_bps = spec.cap_rate_bps();
    absl::StatusOr<dp::FlowInfo> info = dataplane_->client().ProgramFlow(spec);
    if (!info.ok()) {
      Stop();
      Release();
      return info.status();
    }
    flow.info = *std::move(info);
    flow.programmed = true;
  }
  return absl::OkStatus();
}

absl::Status LocalEnd::Start() {
  test_window_.emplace(connection_->segment, flows_[0].info.port_index());
  report_window_ = test_window_;
  started_ns_ = NowUnixNs();
  if (!sends_) return absl::OkStatus();
  for (const Flow& flow : flows_) {
    if (absl::Status status = dataplane_->client().ArmFlow(flow.slot).status(); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

void LocalEnd::Advance(Flow* flow, dp::FlowState state, dp::EndReason reason) {
  if (flow->info.state() == dp::FINISHED || state == dp::FREE) return;
  if (state == dp::PROVEN || state == dp::RUNNING || state == dp::PAUSED) flow->was_proven = true;
  flow->info.set_state(state);
  flow->info.set_reason(reason);
}

void LocalEnd::OnFlow(const dp::FlowInfo& info) {
  for (Flow& flow : flows_) {
    if (flow.programmed && flow.slot == FlowSlot{info.slot(), info.generation()}) {
      Advance(&flow, info.state(), info.reason());
    }
  }
}

void LocalEnd::Poll() {
  for (Flow& flow : flows_) {
    if (!flow.programmed) continue;
    const std::optional<shm::FlowStatus> status = connection_->segment->Status(flow.slot.slot);
    if (!status.has_value() || status->generation != flow.slot.generation) continue;
    Advance(&flow, static_cast<dp::FlowState>(status->state),
            static_cast<dp::EndReason>(status->reason));
  }
}

std::vector<dp::FlowInfo> LocalEnd::Flows() const {
  std::vector<dp::FlowInfo> flows;
  for (const Flow& flow : flows_) {
    if (flow.info.has_local()) flows.push_back(flow.info);
  }
  return flows;
}

bool LocalEnd::Proven() const {
  return std::all_of(flows_.begin(), flows_.end(),
                     [](const Flow& flow) { return flow.was_proven; });
}

bool LocalEnd::Finished() const {
  return std::all_of(flows_.begin(), flows_.end(), [](const Flow& flow) {
    return flow.programmed && flow.info.state() == dp::FINISHED;
  });
}

std::optional<std::string> LocalEnd::Failure() const {
  for (const Flow& flow : flows_) {
    if (!flow.programmed || flow.info.state() != dp::FINISHED) continue;
    if (sends_ && IsNormalEnd(flow.info.reason())) continue;
    return EndReasonName(flow.info.reason());
  }
  return std::nullopt;
}

std::string LocalEnd::EndReason() const {
  if (const std::optional<std::string> failure = Failure()) return *failure;
  return EndReasonName(flows_[0].info.reason());
}

void LocalEnd::ReadTotals() {
  // A reading with a stale cell would make counters run backwards: the last whole one stays.
  bool moved = false;
  if (sends_) {
    SenderTotals totals = ReadSender(*connection_->segment, slots_.slots());
    moved = !totals.stale && totals.last_ns != sender_.last_ns;
    if (!totals.stale) sender_ = std::move(totals);
  } else {
    ReceiverTotals totals = ReadReceiver(*connection_->segment, RxFlows());
    moved = !totals.stale && totals.last_ns != receiver_.last_ns;
    if (!totals.stale) receiver_ = std::move(totals);
  }
  if (!moved || !test_window_.has_value()) return;
  const uint64_t now_ns = NowUnixNs();
  busy_ = test_window_->Busy(Workers());
  if (now_ns > started_ns_) {
    starved_ = static_cast<double>(test_window_->StarvedNs(Workers())) /
               static_cast<double>(now_ns - started_ns_);
  }
}

std::vector<RxFlow> LocalEnd::RxFlows() const {
  std::vector<RxFlow> flows;
  for (const Flow& flow : flows_) flows.push_back({flow.slot, flow.info.histogram_index()});
  return flows;
}

Cumulative LocalEnd::Now() const {
  if (sends_) {
    return {.sent = sender_.sent, .unsent = sender_.unsent, .ip_bytes = sender_.ip_bytes};
  }
  return {.received = receiver_.received,
          .lost = receiver_.gaps,
          .reordered = receiver_.reordered,
          .duplicated = receiver_.duplicated,
          .ip_bytes = receiver_.ip_bytes,
          .jitter_ns = receiver_.jitter_ns};
}

bool LocalEnd::Sample(uint64_t now_ns) {
  ReadTotals();
  const uint64_t first_ns = sends_ ? sender_.first_ns : receiver_.first_ns;
  if (!series_.begun() && first_ns != 0) series_.Begin(first_ns);
  if (!series_.Due(now_ns)) return false;
  series_.Cut(now_ns, Now());
  return true;
}

ms::SenderCounters LocalEnd::SenderReport() const {
  ms::SenderCounters counters;
  counters.set_sent(sender_.sent);
  counters.set_unsent(sender_.unsent);
  counters.set_rejected(sender_.rejected);
  counters.set_ip_bytes(sender_.ip_bytes);
  counters.set_busy(busy_);
  counters.set_first_tx_unix_ns(sender_.first_ns);
  counters.set_last_tx_unix_ns(sender_.last_ns);
  return counters;
}

PeerFeedback LocalEnd::Feedback() const {
  PeerFeedback feedback;
  for (const Flow& flow : flows_) {
    const std::optional<shm::FlowStatus> status = connection_->segment->Status(flow.slot.slot);
    if (!status.has_value() || status->generation != flow.slot.generation) continue;
    feedback.received += status->feedback_received;
    feedback.highest += std::max(status->peer_highest, status->feedback_received);
  }
  return feedback;
}

std::vector<std::optional<uint64_t>> LocalEnd::AnnouncedEnds() const {
  std::vector<std::optional<uint64_t>> ends;
  for (const Flow& flow : flows_) {
    const std::optional<shm::FlowStatus> status = connection_->segment->Status(flow.slot.slot);
    const bool said = status.has_value() && status->generation == flow.slot.generation &&
                      status->feedback_ns != 0;
    ends.push_back(said ? std::optional(status->peer_highest) : std::nullopt);
  }
  return ends;
}

bool LocalEnd::LinkUp() const {
  const std::optional<shm::PortCounters> port =
      connection_->segment->Port(flows_[0].info.port_index());
  return !port.has_value() || port->link_up != 0;
}

std::optional<Unusual> LocalEnd::FindUnusual() const {
  if (!sends_) return std::nullopt;
  uint64_t largest = 0;
  for (const record::v1::PayloadSize& size : parameters_.payload()) {
    largest = std::max<uint64_t>(largest, size.udp_payload_bytes());
  }
  for (const Flow& flow : flows_) {
    if (!flow.programmed) continue;
    const std::optional<shm::TxCounters> tx = connection_->segment->Tx(flow.slot.slot);
    const std::optional<shm::FlowStatus> status = connection_->segment->Status(flow.slot.slot);
    if (!tx.has_value() || tx->generation != flow.slot.generation || !status.has_value() ||
        status->generation != flow.slot.generation) {
      continue;
    }
    std::optional<Unusual> unusual = JudgeFlow(
        {.tx = *tx,
         .status = *status,
         .admitted_bps = flow.admitted_bps,
         .burst_bits = 8 * (largest + kLargestHeaders) * (parameters_.burst_packets() + 1),
         .proven = flow.was_proven,
         .bench = bench_});
    if (unusual.has_value()) return unusual;
  }
  return std::nullopt;
}

void LocalEnd::AddCapability(const CalibrationStore& calibration, LimitEvidence* evidence) const {
  const uint64_t packets = sends_ ? sender_.sent : receiver_.received;
  if (packets == 0) return;
  const double ip_bytes = static_cast<double>(sends_ ? sender_.ip_bytes : receiver_.ip_bytes);
  const double frame_bytes =
      static_cast<double>(sends_ ? sender_.frame_bytes : receiver_.frame_bytes);
  const auto count = static_cast<double>(packets);
  const TesterCapability one = calibration.For(frame_bytes / count);
  const auto workers = static_cast<double>(Workers().size());
  evidence->mean_ip_bytes = ip_bytes / count;
  (sends_ ? evidence->generate_pps : evidence->sink_pps) =
      workers * (sends_ ? one.generate_pps : one.sink_pps);
}

uint64_t LocalEnd::HighestReceived() const {
  return std::accumulate(receiver_.highest.begin(), receiver_.highest.end(), uint64_t{0});
}

ms::Report LocalEnd::TakeReport(uint64_t now_ns) {
  ms::Report report;
  report.set_direction(direction_);
  report.set_at_unix_ns(now_ns);
  const double busy = report_window_.has_value() ? report_window_->Busy(Workers()) : 0;
  if (sends_) {
    *report.mutable_sender() = SenderReport();
    report.mutable_sender()->set_busy(busy);
  } else {
    ms::ReceiverCounters& counters = *report.mutable_receiver();
    counters.set_received(receiver_.received);
    counters.set_lost(receiver_.gaps);
    counters.set_reordered(receiver_.reordered);
    counters.set_duplicated(receiver_.duplicated);
    counters.set_late(receiver_.late);
    counters.set_ip_bytes(receiver_.ip_bytes);
    counters.set_jitter_ns(receiver_.jitter_ns);
    counters.set_busy(busy);
    if (test_window_.has_value()) counters.set_port_missed(test_window_->PortMissed());
  }
  report_window_.emplace(connection_->segment, flows_[0].info.port_index());
  return report;
}

void LocalEnd::Stop() {
  for (Flow& flow : flows_) {
    if (!flow.programmed || flow.info.state() == dp::FINISHED) continue;
    absl::StatusOr<dp::FlowInfo> info = dataplane_->client().StopFlow(flow.slot);
    if (info.ok()) Advance(&flow, dp::FINISHED, info->reason());
  }
  Poll();
  ReadTotals();
  if (sends_) series_.Finish(sender_.last_ns, Now());
}

void LocalEnd::Release() {
  for (Flow& flow : flows_) {
    if (!flow.programmed) continue;
    flow.programmed = false;
    // A dataplane that is gone has nothing to release; one that comes back is reconciled.
    const absl::Status status = dataplane_->client().ReleaseFlow(flow.slot);
    if (!status.ok() && !absl::IsUnavailable(status) && !absl::IsNotFound(status)) {
      spdlog::warn("dataplane: slot {} was not released: {}", flow.slot.slot,
                   std::string(status.message()));
    }
  }
}

record::v1::DirectionResult LocalEnd::Measure(const std::vector<uint64_t>& final_sequence,
                                              bool clocks_synchronised) {
  const uint64_t lost = LostPackets(receiver_, final_sequence);
  Cumulative now = Now();
  now.lost = lost;
  series_.Finish(receiver_.last_ns, now);

  record::v1::DirectionResult result;
  result.set_direction(direction_);
  result.set_admitted_ip_bps(MeanRateBps(parameters_));
  result.set_achieved_ip_bps(receiver_.achieved_ip_bps);
  result.set_achieved_ethernet_bps(receiver_.achieved_ethernet_bps);
  result.set_received(receiver_.received);
  result.set_lost(lost);
  result.set_reordered(receiver_.reordered);
  result.set_duplicated(receiver_.duplicated);
  result.set_late(receiver_.late);
  result.set_received_ip_bytes(receiver_.ip_bytes);
  result.set_loss_events(receiver_.loss_events);
  *result.mutable_one_way_delay() =
      MeasureDelay(*connection_->segment, RxFlows(), clocks_synchronised);
  result.set_jitter_ns(receiver_.jitter_ns);
  result.set_first_rx_unix_ns(receiver_.first_ns);
  result.set_last_rx_unix_ns(receiver_.last_ns);
  result.mutable_intervals()->Add(series_.intervals().begin(), series_.intervals().end());
  if (!test_window_.has_value()) return result;

  result.set_receiver_busy(busy_);
  result.set_receiver_port_missed(test_window_->PortMissed());
  if (ReceiverStarved(starved_, test_window_->PortMissed())) {
    result.set_limit(record::v1::LIMIT_RECEIVER);
  }
  return result;
}

}  // namespace weir::control
