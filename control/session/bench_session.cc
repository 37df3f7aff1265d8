#include "control/session/bench_session.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "control/admission/built_in_rules.h"
#include "control/admission/request_form.h"
#include "control/collector/limit.h"
#include "control/session/clock.h"
#include "control/session/end_reason.h"
#include "control/session/mean_rate.h"
#include "control/session/use_keeper.h"
#include "wire/signal_packet.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;
using record::v1::DirectionResult;
using record::v1::TestParameters;

constexpr std::chrono::milliseconds kBenchSamplePeriod{100};
constexpr std::chrono::milliseconds kBenchDrainPeriod{10};
constexpr uint64_t kBenchResidualNs = 500'000'000;
constexpr uint64_t kLongestResidualNs = 60'000'000'000;
// Until the next hop has answered ARP or ND; its three attempts take as long.
constexpr uint64_t kNeighbourNs = 4'000'000'000;
constexpr std::chrono::seconds kBenchOverrun{10};
constexpr uint64_t kSinkMarginNs = 60'000'000'000;
// Ethernet header, FCS, preamble and gap: what each IP packet costs the wire on top.
constexpr double kBenchWireOverhead = 14 + 4 + 8 + 12;

bool Isolated(const dataplane::v1::PortInfo& port) {
  return absl::StartsWith(port.device(), "null:") || absl::StartsWith(port.device(), "ring:");
}

// 6 bytes of "02:00:00:00:00:01"; empty if it is not of that form.
std::string MacToBytes(const std::string& text) {
  unsigned int part[6];
  char rest;
  if (text.size() != 17 ||
      std::sscanf(text.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x%c", &part[0], &part[1], &part[2], &part[3],
                  &part[4], &part[5], &rest) != 6) {
    return "";
  }
  std::string bytes;
  for (const unsigned int value : part) bytes.push_back(static_cast<char>(value));
  return bytes;
}

}  // namespace

BenchSession::BenchSession(const Node& node, End end, ms::BenchRequest request, Sink sink)
    : node_(node), end_(end), request_(std::move(request)), sink_(std::move(sink)) {}

BenchSession::~BenchSession() {
  if (session_ != nullptr) node_.table->Retire(session_);
}

void BenchSession::Cancel(const std::string& reason) {
  std::lock_guard lock(mutex_);
  if (cancelled_.has_value()) return;
  cancelled_ = reason;
  if (session_ != nullptr) session_->mailbox().Post(StopAsked{reason});
}

void BenchSession::Run(bool draining) {
  if (ChoosePort() && CompleteRequest() && Admit(draining) && Program()) Measure();
}

bool BenchSession::Fail(ms::TestFailure::Kind kind, const std::string& field,
                        const std::string& message) {
  ms::RunTestUpdate update;
  update.mutable_failure()->set_kind(kind);
  update.mutable_failure()->set_field(field);
  update.mutable_failure()->set_message(message);
  sink_(std::move(update));
  return false;
}

bool BenchSession::Refuse(ms::Rejection rejection) {
  node_.metrics->CountRejection(rejection.stage(), rejection.rule());
  node_.store->AuditRejection(rejection, request_.peer_ip());
  ms::RunTestUpdate update;
  *update.mutable_rejection() = std::move(rejection);
  sink_(std::move(update));
  return false;
}

void BenchSession::SendProgress(const std::string& state) {
  ms::RunTestUpdate update;
  ms::TestProgress& progress = *update.mutable_progress();
  progress.set_state(state);
  if (running_since_ns_ != 0) progress.set_elapsed_ns(NowUnixNs() - running_since_ns_);
  if (local_ != nullptr && !local_->intervals().empty()) {
    *progress.add_intervals() = local_->intervals().back();
    progress.add_directions(direction());
  }
  sink_(std::move(update));
}

bool BenchSession::InLab(const Policy& policy) {
  if (policy.profile() == "lab") return true;
  return Refuse(node_.admission->Reject(
      "decide", kLabOnlyRule, "",
      absl::StrCat("this node's policy has the profile \"", policy.profile(),
                   "\"; only a node of the profile \"lab\" may load a path whose other end was "
                   "not asked: use `weir test`")));
}

bool BenchSession::ChoosePort() {
  if (!InLab(*node_.admission->policy())) return false;
  ports_ = node_.dataplane->ports();
  if (ports_ == nullptr) {
    return Fail(ms::TestFailure::LOCAL, "dataplane",
                absl::StrCat("the local dataplane is not connected: ",
                             node_.dataplane->client().last_error()));
  }
  uint32_t ip_version = request_.parameters().ip_version();
  if (!request_.peer_ip().empty()) {
    const std::string bytes = IpToBytes(request_.peer_ip());
    if (bytes.empty()) {
      return Fail(ms::TestFailure::BAD_REQUEST, "peer_ip",
                  absl::StrCat("\"", request_.peer_ip(), "\" is not an IPv4 or IPv6 address"));
    }
    ip_version = bytes.size() == 16 ? 6 : 4;
  }
  request_.mutable_parameters()->set_ip_version(ip_version);
  port_ = request_.port().empty() ? ports_->For(ip_version, request_.peer_ip())
                                  : ports_->Find(request_.port());
  if (port_ == nullptr) {
    return Fail(ms::TestFailure::BAD_REQUEST, "port",
                request_.port().empty()
                    ? absl::StrCat("no local port has an IPv", ip_version, " address")
                    : absl::StrCat("the local dataplane has no port named \"", request_.port(),
                                   "\"; `weir info` lists them"));
  }
  own_ip_ = IpToText(ip_version == 6 ? port_->ip6() : port_->ip4());
  if (own_ip_.empty()) {
    return Fail(ms::TestFailure::BAD_REQUEST, "port",
                absl::StrCat("port \"", port_->name(), "\" has no IPv", ip_version, " address"));
  }
  if (!port_->bench()) {
    return Refuse(node_.admission->Reject(
        "capacity", kBenchPortRule, "port",
        absl::StrCat("port \"", port_->name(),
                     "\" may not be loaded without asking its other end; if it is wired to a bench "
                     "of your own, start weir-dataplane with --port ",
                     port_->name(), "=", port_->device(), ",...,bench=on")));
  }
  return true;
}

// What the request leaves to the port: the peer and the rate.
bool BenchSession::CompleteRequest() {
  const bool loops = request_.peer_ip().empty() || request_.peer_ip() == own_ip_;
  if (loops && !Isolated(*port_)) {
    return Fail(ms::TestFailure::BAD_REQUEST, "peer_ip",
                absl::StrCat("required: the address of the other end; only a null: or ring: port "
                             "has none, and \"",
                             port_->name(), "\" is ", port_->device()));
  }
  if (loops) {
    request_.set_peer_ip(own_ip_);
    std::vector<std::string> mac;
    for (const char byte : port_->mac()) {
      mac.push_back(absl::StrCat(absl::Hex(static_cast<unsigned char>(byte), absl::kZeroPad2)));
    }
    if (request_.peer_mac().empty()) request_.set_peer_mac(absl::StrJoin(mac, ":"));
  }
  if (!request_.peer_mac().empty() && MacToBytes(request_.peer_mac()).empty()) {
    return Fail(ms::TestFailure::BAD_REQUEST, "peer_mac",
                absl::StrCat("\"", request_.peer_mac(), "\" is not like 02:00:00:00:00:01"));
  }
  if (request_.key().empty() || request_.key().size() > kLongestBenchKey) {
    return Fail(ms::TestFailure::BAD_REQUEST, "key",
                absl::StrCat("1 to ", kLongestBenchKey, " bytes, the same at both ends"));
  }
  TestParameters& parameters = *request_.mutable_parameters();
  if (request_.udp_port() > 65536 - std::max<uint32_t>(1, parameters.streams())) {
    return Fail(ms::TestFailure::BAD_REQUEST, "udp_port",
                "the ports of all streams must be below 65536");
  }
  if (request_.residual_ns() > kLongestResidualNs) {
    return Fail(ms::TestFailure::BAD_REQUEST, "residual_ns", "at most 60 s");
  }
  if (request_.residual_ns() == 0) request_.set_residual_ns(kBenchResidualNs);
  if (request_.rate_case() == ms::BenchRequest::RATE_NOT_SET) return true;
  // The mean of the sizes is needed for what follows: it must make sense.
  parameters.set_rate_max(true);
  const std::optional<FormFault> fault = FindFormFault(parameters);
  parameters.set_rate_max(false);
  if (fault.has_value()) {
    return Fail(ms::TestFailure::BAD_REQUEST, absl::StrCat("parameters.", fault->field),
                fault->message);
  }
  const double mean = MeanIpPacket(parameters);
  double bps = 0;
  if (request_.rate_case() == ms::BenchRequest::kPacketsPerSecond) {
    bps = request_.packets_per_second() * mean * 8;
  } else {
    if (port_->link_bps() == 0) {
      return Fail(ms::TestFailure::BAD_REQUEST, "line_share",
                  absl::StrCat("the line rate of port \"", port_->name(),
                               "\" is not known; give a rate in bit/s or packets/s"));
    }
    if (!(request_.line_share() > 0) || request_.line_share() > 1) {
      return Fail(ms::TestFailure::BAD_REQUEST, "line_share", "above 0 % and at most 100 %");
    }
    bps = request_.line_share() * static_cast<double>(port_->link_bps()) * mean /
          (mean + kBenchWireOverhead);
  }
  if (!(bps >= 1 && bps < 1e18)) {
    return Fail(ms::TestFailure::BAD_REQUEST, "packets_per_second",
                "must be above 0 and at most what can be meant");
  }
  parameters.set_rate_bps(static_cast<uint64_t>(std::llround(bps)));
  return true;
}

bool BenchSession::Admit(bool draining) {
  AdmissionRequest asked;
  asked.peer_addresses = {request_.peer_ip()};
  asked.identity = kOperatorIdentity;
  asked.experiment = request_.experiment();
  asked.purpose = request_.purpose();
  // It is the operator's own.
  asked.accepted_notice_digest = node_.admission->policy()->notice_digest();
  asked.port = port_->name();
  asked.store_full = node_.store->Full();
  asked.draining = draining;
  ms::DirectionRequest& direction_asked = asked.directions.emplace_back();
  direction_asked.set_direction(direction());
  *direction_asked.mutable_parameters() = request_.parameters();
  AdmissionDecision decision = node_.admission->Decide(asked);
  if (auto* rejection = std::get_if<ms::Rejection>(&decision)) {
    if (rejection->rule() == kLinkRateRule) {
      rejection->set_message(
          absl::StrCat(rejection->message(), ", or for the maximum with --rate max"));
    }
    return Refuse(std::move(*rejection));
  }

  AdmissionGrant& granted = std::get<AdmissionGrant>(decision);
  if (!InLab(*granted.policy)) return false;  // It may have been reloaded meanwhile.
  const TestParameters& parameters = granted.directions[0].parameters();
  if (!granted.reduced_by.empty() && !parameters.rate_max()) {
    return Refuse(node_.admission->Reject(
        "capacity", granted.reduced_by[0], "parameters.rate_bps",
        absl::StrCat(FormatRate(static_cast<double>(request_.parameters().rate_bps())),
                     " is more than port \"", port_->name(), "\" can do of such packets, ",
                     FormatRate(static_cast<double>(parameters.rate_bps())),
                     " (IP layer); ask for that, or for the maximum with --rate max"),
        granted.trace.ToProto()));
  }
  reservation_ = std::move(granted.reservation);
  trace_ = granted.trace.ToProto();
  charges_ = std::move(granted.charges);
  facts_.negotiated_unix_ns = NowUnixNs();
  facts_.negotiated_steady_ns = SystemSteadyNs();
  facts_.id = Uuid::Generate(facts_.negotiated_unix_ns / 1'000'000);
  facts_.role = SessionRole::kServer;
  facts_.experiment = request_.experiment();
  facts_.purpose = request_.purpose();
  facts_.client_address = request_.peer_ip();
  facts_.admission_rule = granted.admission_rule;
  facts_.policy_digest = granted.policy->digest();
  facts_.policy = granted.policy;
  facts_.server = node_.Identity();
  facts_.requested = asked.directions;
  facts_.granted = granted.directions;
  plan_ =
      MakeBenchPlan(request_.key(), request_.trial(), request_.udp_port(), parameters.streams());
  return true;
}

EndSlots BenchSession::Ends(std::vector<FlowSlot> slots) const {
  std::vector<ms::FlowEnd> ends;
  for (uint32_t i = 0; i < slots.size(); ++i) {
    ms::FlowEnd& end = ends.emplace_back();
    end.set_direction(direction());
    end.set_stream(i);
    end.set_ip(own_ip_);
    end.set_udp_port(generates() ? plan_.streams[i].sender_port : plan_.streams[i].sink_port);
    end.set_slot(slots[i].slot);
    end.set_generation(slots[i].generation);
    if (!generates()) end.set_cookie(plan_.streams[i].cookie);
  }
  return EndSlots(&node_.dataplane->slots(), std::move(slots), std::move(ends));
}

std::vector<ms::FlowEnd> BenchSession::PeerEnds() const {
  std::vector<ms::FlowEnd> ends;
  for (const BenchStream& stream : plan_.streams) {
    ms::FlowEnd& end = ends.emplace_back();
    end.set_ip(request_.peer_ip());
    end.set_udp_port(generates() ? stream.sink_port : stream.sender_port);
    end.set_slot(generates() ? stream.sink_slot : 0);
    end.set_generation(wire::kBenchGeneration);
    end.set_cookie(stream.cookie);
  }
  return ends;
}

bool BenchSession::Program() {
  const TestParameters& parameters = facts_.granted[0].parameters();
  SlotAllocator& allocator = node_.dataplane->slots();
  absl::StatusOr<std::vector<FlowSlot>> slots =
      generates() ? allocator.Allocate(parameters.streams())
                  : allocator.AllocateRange(plan_.first_slot, parameters.streams());
  if (!slots.ok()) {
    return Fail(
        ms::TestFailure::LOCAL, generates() ? "parameters.streams" : "key",
        absl::StrCat(slots.status().message(), generates() ? "" : ", or choose another key"));
  }
  EndSlots ends = Ends(*std::move(slots));
  auto session =
      std::make_shared<Session>(facts_.id, SessionRole::kServer, facts_.negotiated_unix_ns);
  session->SetTerms(facts_.granted, AddressAsKept(*facts_.policy, facts_), facts_.admission_rule);
  facts_.flows = node_.lookup->Keys(ends.ends(), PeerEnds());
  SessionRow row = ToRow(facts_);
  row.trace = trace_;
  row.use = ToUseRows(charges_);
  if (absl::Status stored = node_.store->BeginSession(row); !stored.ok()) {
    return Fail(ms::TestFailure::LOCAL, "store", std::string(stored.message()));
  }
  reservation_.Commit();
  node_.table->Register(session);
  {
    std::lock_guard lock(mutex_);
    session_ = session;
    if (cancelled_.has_value()) session->mailbox().Post(StopAsked{*cancelled_});
  }

  dataplane::v1::Bench bench;
  if (generates()) bench.set_destination_mac(MacToBytes(request_.peer_mac()));
  const SessionTerms terms{
      .session_id = facts_.id.Bytes(),
      .session_key = plan_.session_key,
      .port = port_->name(),
      .setup_timeout_ns = generates() ? kNeighbourNs : parameters.duration_ns() + kSinkMarginNs,
      .bench = bench};
  local_ = std::make_unique<LocalEnd>(node_.dataplane, ports_->connection, direction(), generates(),
                                      parameters, std::move(ends));
  if (absl::Status programmed = local_->Program(terms, PeerEnds()); !programmed.ok()) {
    Conclusion conclusion = Conclude(node_, facts_, record::v1::ABORTED, end_reason::kProgramFailed,
                                     {Result()}, {local_->Flows()});
    session_->SetEnd(conclusion.state, conclusion.completed);
    return Fail(ms::TestFailure::LOCAL, "dataplane",
                absl::StrCat("the local dataplane refused a flow: ", programmed.message()));
  }
  session_->SetState(SessionState::kAdmitted);

  ms::RunTestUpdate update;
  ms::Grant& grant = *update.mutable_grant();
  grant.set_session_id(facts_.id.ToString());
  grant.mutable_directions()->Add(facts_.granted.begin(), facts_.granted.end());
  grant.set_policy_digest(facts_.policy_digest);
  grant.set_admission_rule(facts_.admission_rule);
  grant.add_record_ids(RecordId(facts_.id, direction()));
  sink_(std::move(update));
  return true;
}

void BenchSession::Measure() {
  const auto duration = std::chrono::nanoseconds(local_->parameters().duration_ns());
  deadline_ = Steady::now() + std::chrono::nanoseconds(kNeighbourNs) + kBenchOverrun;
  if (!generates()) {
    Start();
    deadline_ = Steady::now() + duration;
  }
  SendProgress(generates() ? "resolving" : "waiting");
  while (!outcome_.has_value()) {
    Steady::duration wait = quiet_since_.has_value() ? kBenchDrainPeriod : kBenchSamplePeriod;
    const uint64_t now_ns = NowUnixNs();
    if (const uint64_t cut_ns = local_->NextCutNs(); cut_ns != 0) {
      wait = std::min<Steady::duration>(
          wait, std::chrono::nanoseconds(cut_ns > now_ns ? cut_ns - now_ns : 0));
    }
    std::optional<SessionEvent> event =
        session_->mailbox().WaitUntil(std::min(Steady::now() + wait, deadline_));
    if (event.has_value()) Handle(*std::move(event));
    if (!outcome_.has_value()) Step();
  }
  session_->SetState(SessionState::kFinishing);
  local_->Stop();

  DirectionResult direction_result = Result();
  Conclusion conclusion =
      Conclude(node_, facts_, *outcome_, end_reason_, {direction_result}, {local_->Flows()});
  if (unusual_.has_value()) ReportUnusual(node_, facts_, *unusual_);
  local_.reset();  // Frees slots and flows.
  reservation_.Settle(conclusion.moved_bytes);
  reservation_.Release();
  session_->SetEnd(conclusion.state, conclusion.completed);
  node_.table->Retire(session_);

  ms::RunTestUpdate update;
  ms::TestResult& result = *update.mutable_result();
  result.set_session_id(facts_.id.ToString());
  result.set_outcome(*outcome_);
  result.set_end_reason(end_reason_);
  *result.add_results() = std::move(direction_result);
  *result.mutable_record_ids() = conclusion.completed.record_ids();
  result.set_policy_digest(facts_.policy_digest);
  *result.mutable_requested() = facts_.requested[0].parameters();
  result.mutable_granted()->Add(facts_.granted.begin(), facts_.granted.end());
  sink_(std::move(update));
}

void BenchSession::Finish(record::v1::Outcome outcome, const std::string& reason) {
  if (outcome_.has_value()) return;
  outcome_ = outcome;
  end_reason_ = reason;
}

void BenchSession::Handle(SessionEvent event) {
  if (auto* changed = std::get_if<FlowChanged>(&event)) {
    local_->OnFlow(changed->flow);
  } else if (std::holds_alternative<DataplaneLost>(event)) {
    local_->Poll();
    Finish(record::v1::ABORTED, local_->Failure() == end_reason::kControlLease
                                    ? end_reason::kControlLease
                                    : end_reason::kDataplaneLost);
  } else if (auto* asked = std::get_if<StopAsked>(&event)) {
    Finish(record::v1::ABORTED, asked->reason);
  }
}

void BenchSession::Start() {
  started_ = true;
  if (!local_->Start().ok()) {
    Finish(record::v1::ABORTED, end_reason::kArmFailed);
    return;
  }
  if (!generates()) return;
  deadline_ =
      Steady::now() + std::chrono::nanoseconds(local_->parameters().duration_ns()) + kBenchOverrun;
  running_since_ns_ = NowUnixNs();
  session_->SetState(SessionState::kRunning);
  SendProgress("running");
}

void BenchSession::Step() {
  local_->Poll();
  if (const std::optional<std::string> failure = local_->Failure()) {
    return Finish(record::v1::ABORTED, *failure);
  }
  if (!local_->LinkUp()) return Finish(record::v1::ABORTED, end_reason::kLinkDown);
  if (!started_ && local_->Proven()) Start();
  if (outcome_.has_value() || !started_) {
    if (Steady::now() >= deadline_) Finish(record::v1::ABORTED, "setup_timeout");
    return;
  }
  if (unusual_ = local_->FindUnusual(); unusual_.has_value()) {
    return Finish(record::v1::ABORTED, end_reason::kUnusualActivity);
  }
  if (local_->Sample(NowUnixNs())) {
    node_.store->AppendInterval(facts_.id.ToString(), direction(), local_->intervals().back());
    SendProgress("running");
  }
  if (generates()) {
    StepGenerate();
  } else {
    StepSink();
  }
}

void BenchSession::StepGenerate() {
  if (local_->Finished()) {
    Finish(record::v1::COMPLETED, local_->EndReason());
  } else if (Steady::now() >= deadline_) {
    Finish(record::v1::ABORTED, end_reason::kOverrun);
  }
}

void BenchSession::StepSink() {
  if (!first_packet_ && local_->receiver().received > 0) {
    first_packet_ = true;
    running_since_ns_ = NowUnixNs();
    session_->SetState(SessionState::kRunning);
    SendProgress("running");
  }
  const Steady::time_point now = Steady::now();
  if (EverythingHeard(now)) {
    Finish(record::v1::COMPLETED, end_reason::kSenderDone);
  } else if (now >= deadline_) {
    if (first_packet_) return Finish(record::v1::COMPLETED, "duration");
    Finish(record::v1::ABORTED, end_reason::kNoPackets);
  }
}

// The sender has said how many there were, and they are here, or nothing has come for a while.
bool BenchSession::EverythingHeard(Steady::time_point now) {
  std::vector<uint64_t> final_sequence;
  for (const std::optional<uint64_t>& end : local_->AnnouncedEnds()) {
    if (!end.has_value()) return false;
    final_sequence.push_back(*end);
  }
  const uint64_t received = local_->receiver().received;
  if (!quiet_since_.has_value() || received != quiet_received_) {
    quiet_since_ = now;
    quiet_received_ = received;
  }
  return EverythingArrived(local_->receiver(), final_sequence) ||
         now >= *quiet_since_ + std::chrono::nanoseconds(request_.residual_ns());
}

DirectionResult BenchSession::Generated() const {
  const ms::SenderCounters sent = local_->SenderReport();
  DirectionResult result;
  result.set_ends(record::v1::ENDS_SENDER);
  result.set_sent(sent.sent());
  result.set_unsent(sent.unsent());
  result.set_sender_port_rejected(sent.rejected());
  result.set_sender_busy(std::clamp(local_->busy(), 0.0, 1.0));
  if (sent.sent() > 1 && sent.last_tx_unix_ns() > sent.first_tx_unix_ns()) {
    // As the receiver takes it: (N-1) x bits / (t_last - t_first).
    const double packets = static_cast<double>(sent.sent());
    const double per_second = 8e9 * (packets - 1) / packets /
                              static_cast<double>(sent.last_tx_unix_ns() - sent.first_tx_unix_ns());
    result.set_achieved_ip_bps(static_cast<double>(sent.ip_bytes()) * per_second);
    result.set_achieved_ethernet_bps(static_cast<double>(local_->sender().frame_bytes) *
                                     per_second);
  }
  result.mutable_intervals()->Add(local_->intervals().begin(), local_->intervals().end());
  return result;
}

DirectionResult BenchSession::Received() {
  std::vector<uint64_t> final_sequence;
  for (const std::optional<uint64_t>& end : local_->AnnouncedEnds()) {
    final_sequence.push_back(end.value_or(0));
  }
  // A sender that did not say its last word sent at least what arrived.
  uint64_t sent = 0;
  const std::vector<uint64_t>& highest = local_->receiver().highest;
  for (size_t i = 0; i < final_sequence.size(); ++i) {
    sent += std::max(final_sequence[i], i < highest.size() ? highest[i] : 0);
  }
  DirectionResult result = local_->Measure(final_sequence, request_.clocks_synchronised());
  result.set_ends(record::v1::ENDS_RECEIVER);
  result.set_sent(sent);
  result.set_receiver_busy(std::clamp(result.receiver_busy(), 0.0, 1.0));
  return result;
}

DirectionResult BenchSession::Result() {
  const TestParameters& granted = facts_.granted[0].parameters();
  DirectionResult result = generates() ? Generated() : Received();
  result.set_direction(direction());
  result.set_admitted_ip_bps(MeanRateBps(granted));
  if (result.sent() == 0) {
    result.set_limit(record::v1::LIMIT_UNSPECIFIED);
    result.set_limit_detail(generates() ? "no test packet was sent" : "no test packet came");
    return result;
  }
  LimitEvidence evidence;
  evidence.granted_bps = static_cast<uint64_t>(MeanRateBps(granted));
  evidence.requested_bps = request_.parameters().rate_max() ? 0 : evidence.granted_bps;
  evidence.offered_bps = result.achieved_ip_bps();
  if (!generates() && result.received() > 0) {
    // Packets that came and packets that did not are of the same sizes.
    evidence.offered_bps *=
        static_cast<double>(result.sent()) / static_cast<double>(result.received());
  }
  evidence.achieved_bps = result.achieved_ip_bps();
  evidence.delivered_bps = result.achieved_ip_bps();
  evidence.sent = result.sent();
  evidence.unsent = result.unsent();
  evidence.rejected = result.sender_port_rejected();
  evidence.lost = result.lost();
  evidence.sender_busy = result.sender_busy();
  evidence.receiver_busy = result.receiver_busy();
  evidence.receiver_port_missed = result.receiver_port_missed();
  evidence.receiver_starved = generates() ? 0 : local_->starved();
  if (!IsNormalEndName(end_reason_)) evidence.ended_early = end_reason_;
  if (node_.calibration != nullptr) local_->AddCapability(*node_.calibration, &evidence);
  LimitVerdict verdict = generates() ? JudgeLimit(evidence) : JudgeReceived(evidence);
  result.set_limit(verdict.limit);
  result.set_limit_detail(std::move(verdict.detail));
  return result;
}

}  // namespace weir::control
