#include "control/session/client_session.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "control/admission/policy.h"
#include "control/session/clock.h"
#include "control/session/end_reason.h"
#include "control/session/interval_recorder.h"
#include "control/session/protocol.h"
#include "wire/signal_packet.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;
using ms::TestFailure;

// What the client's records name when the server's rule is no name.
constexpr char kRemoteRule[] = "remote";

bool WithinRequest(const record::v1::TestParameters& granted,
                   const record::v1::TestParameters& asked) {
  if (granted.duration_ns() > asked.duration_ns() || granted.duration_ns() == 0 ||
      granted.streams() != asked.streams() || granted.ip_version() != asked.ip_version() ||
      granted.rate_max() != asked.rate_max() || granted.dscp() != asked.dscp() ||
      granted.pacing() != asked.pacing() || granted.ramp_start_bps() != asked.ramp_start_bps() ||
      granted.packets() != asked.packets() || granted.payload_size() != asked.payload_size()) {
    return false;
  }
  if (!asked.rate_max() && (granted.rate_bps() > asked.rate_bps() || granted.rate_bps() == 0)) {
    return false;
  }
  for (int i = 0; i < asked.payload_size(); ++i) {
    if (granted.payload(i).udp_payload_bytes() != asked.payload(i).udp_payload_bytes() ||
        granted.payload(i).weight() != asked.payload(i).weight()) {
      return false;
    }
  }
  return true;
}

bool LooksLikeDigest(const std::string& text) {
  return text.size() == 71 && absl::StartsWith(text, "sha256:") &&
         std::all_of(text.begin() + 7, text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

ClientSession::ClientSession(const Node& node, ms::RunTestRequest request, Sink sink)
    : node_(node), request_(std::move(request)), sink_(std::move(sink)) {}

ClientSession::~ClientSession() {
  if (session_ != nullptr) node_.table->Retire(session_);
}

void ClientSession::Cancel(const std::string& reason) {
  std::lock_guard lock(mutex_);
  if (cancelled_.has_value()) return;
  cancelled_ = reason;
  if (remote_ != nullptr) remote_->Cancel();
  if (session_ != nullptr) session_->mailbox().Post(StopAsked{reason});
}

void ClientSession::Run(bool draining) {
  if (Connect() && Admit(draining) && Reserve() && Negotiate() && Program()) Measure();
}

bool ClientSession::Fail(TestFailure::Kind kind, const std::string& field,
                         const std::string& message) {
  ms::RunTestUpdate update;
  update.mutable_failure()->set_kind(kind);
  update.mutable_failure()->set_field(field);
  update.mutable_failure()->set_message(message);
  sink_(std::move(update));
  return false;
}

bool ClientSession::FailRemote(const absl::Status& status) {
  {
    std::lock_guard lock(mutex_);
    if (cancelled_.has_value()) {
      return Fail(TestFailure::ABORTED, "", absl::StrCat("the test was ended: ", *cancelled_));
    }
  }
  const std::string message =
      absl::StrCat(request_.remote().address(), ": ", std::string(status.message()));
  if (absl::IsInvalidArgument(status)) return Fail(TestFailure::BAD_REQUEST, "remote", message);
  if (absl::IsUnimplemented(status)) {
    return Fail(TestFailure::VERSION_MISMATCH, "protocol_version", message);
  }
  return Fail(TestFailure::UNREACHABLE, "remote.address", message);
}

void ClientSession::SendProgress(const std::string& state) {
  ms::RunTestUpdate update;
  ms::TestProgress& progress = *update.mutable_progress();
  progress.set_state(state);
  if (running_since_ns_ != 0) progress.set_elapsed_ns(NowUnixNs() - running_since_ns_);
  for (const std::unique_ptr<DirectionRun>& run : directions_) {
    const std::optional<record::v1::Interval> interval = run->LatestInterval();
    if (!interval.has_value()) continue;
    *progress.add_intervals() = *interval;
    progress.add_directions(run->end().direction());
  }
  sink_(std::move(update));
}

bool ClientSession::Connect() {
  SendProgress("connecting");
  absl::StatusOr<std::unique_ptr<Remote>> remote = node_.connect_remote(request_.remote());
  if (!remote.ok()) return FailRemote(remote.status());
  {
    std::lock_guard lock(mutex_);
    remote_ = *std::move(remote);
    if (cancelled_.has_value()) remote_->Cancel();
  }
  absl::StatusOr<ms::ServerInfo> info = remote_->GetServerInfo();
  if (!info.ok()) return FailRemote(info.status());
  if (info->protocol_version() != kProtocolVersion) {
    return FailRemote(absl::UnimplementedError(VersionMismatch(info->protocol_version())));
  }
  server_ = *std::move(info);
  ms::RunTestUpdate update;
  *update.mutable_server() = server_;
  sink_(std::move(update));
  return true;
}

// What this node itself can do: its port, its link's budget, its store.
bool ClientSession::Admit(bool draining) {
  ports_ = node_.dataplane->ports();
  if (ports_ == nullptr) {
    return Fail(TestFailure::LOCAL, "dataplane",
                absl::StrCat("the local dataplane is not connected: ",
                             node_.dataplane->client().last_error()));
  }
  const record::v1::TestParameters& parameters = request_.parameters();
  if (request_.port().empty()) {
    const std::string peer = server_.addresses().empty() ? "" : PeerAddress();
    port_ = ports_->For(parameters.ip_version(), peer);
    if (port_ == nullptr) {
      return Fail(TestFailure::BAD_REQUEST, "parameters.ip_version",
                  absl::StrCat("no local port has an IPv", parameters.ip_version(),
                               " address; ask for the other version or give a port one"));
    }
  } else {
    port_ = ports_->Find(request_.port());
    if (port_ == nullptr) {
      return Fail(TestFailure::BAD_REQUEST, "port",
                  absl::StrCat("the local dataplane has no port named \"", request_.port(),
                               "\"; `weir info` lists them"));
    }
    if ((parameters.ip_version() == 6 ? port_->ip6() : port_->ip4()).empty()) {
      return Fail(TestFailure::BAD_REQUEST, "parameters.ip_version",
                  absl::StrCat("port \"", port_->name(), "\" has no IPv", parameters.ip_version(),
                               " address"));
    }
  }

  AdmissionRequest admission;
  admission.role = NodeRole::kClient;
  admission.experiment = request_.experiment();
  admission.purpose = request_.purpose();
  admission.metadata = request_.metadata();
  admission.port = port_->name();
  admission.store_full = node_.store->Full();
  admission.draining = draining;
  for (const int direction : request_.directions()) {
    ms::DirectionRequest& asked = admission.directions.emplace_back();
    asked.set_direction(static_cast<record::v1::Direction>(direction));
    *asked.mutable_parameters() = parameters;
  }
  AdmissionDecision decision = node_.admission->Decide(admission);
  if (auto* rejection = std::get_if<ms::Rejection>(&decision)) {
    rejection->set_message(absl::StrCat("this node: ", rejection->message()));
    const bool local = rejection->stage() == "store" || rejection->rule() == kDrainingRule;
    if (local || rejection->stage() == "classify") {
      return Fail(local ? TestFailure::LOCAL : TestFailure::BAD_REQUEST, rejection->field(),
                  rejection->message());
    }
    // What a link cannot carry is refused alike at either end: with the rule's name.
    ms::RunTestUpdate update;
    *update.mutable_rejection() = std::move(*rejection);
    sink_(std::move(update));
    return false;
  }
  AdmissionGrant& granted = std::get<AdmissionGrant>(decision);
  reservation_ = std::move(granted.reservation);
  policy_ = granted.policy;
  asked_ = granted.directions;
  for (ms::DirectionRequest& direction : asked_) {
    // "max" is asked for as such: its rate is the server's to name.
    if (direction.parameters().rate_max()) direction.mutable_parameters()->set_rate_bps(0);
  }
  return true;
}

std::string ClientSession::PeerAddress() const {
  for (const ms::DataAddress& address : server_.addresses()) {
    const size_t bytes = request_.parameters().ip_version() == 6 ? 16 : 4;
    if (IpToBytes(address.ip()).size() == bytes) return address.ip();
  }
  return "";
}

bool ClientSession::Reserve() {
  const std::string own_ip =
      IpToText(request_.parameters().ip_version() == 6 ? port_->ip6() : port_->ip4());
  for (const ms::DirectionRequest& direction : asked_) {
    absl::StatusOr<EndSlots> slots = EndSlots::Reserve(
        &node_.dataplane->slots(), direction.direction(), direction.parameters().streams(),
        /*receives=*/direction.direction() == record::v1::DOWN, own_ip);
    if (!slots.ok()) {
      return Fail(TestFailure::LOCAL, "parameters.streams", std::string(slots.status().message()));
    }
    slots_.push_back(*std::move(slots));
  }
  return true;
}

bool ClientSession::Negotiate() {
  SendProgress("negotiating");
  ms::NegotiateRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_access_token(request_.access_token());
  request.set_experiment(request_.experiment());
  request.set_purpose(request_.purpose());
  *request.mutable_metadata() = request_.metadata();
  request.set_accepted_notice_digest(request_.accepted_notice_digest());
  request.mutable_directions()->Add(asked_.begin(), asked_.end());
  for (const EndSlots& slots : slots_) {
    request.mutable_client_ends()->Add(slots.ends().begin(), slots.ends().end());
  }
  request.set_sealed_contact(request_.sealed_contact());
  request.set_software("weir " WEIR_VERSION);
  absl::StatusOr<ms::NegotiateReply> reply = remote_->Negotiate(request);
  if (!reply.ok()) return FailRemote(reply.status());
  if (reply->has_rejection()) {
    if (reply->rejection().field() == "protocol_version") {
      return FailRemote(absl::UnimplementedError(reply->rejection().message()));
    }
    ms::RunTestUpdate update;
    *update.mutable_rejection() = reply->rejection();
    sink_(std::move(update));
    return false;
  }
  return AcceptGrant(reply->grant());
}

// A server may give less than was asked, never more or something else.
bool ClientSession::AcceptGrant(const ms::Grant& grant) {
  const std::optional<Uuid> id = Uuid::Parse(grant.session_id());
  if (!id.has_value() || grant.session_key().size() != wire::kSessionKeyBytes ||
      grant.directions_size() != static_cast<int>(asked_.size())) {
    return Fail(TestFailure::ABORTED, "grant", "the server's grant is not complete");
  }
  for (size_t i = 0; i < asked_.size(); ++i) {
    const ms::DirectionRequest& granted = grant.directions(static_cast<int>(i));
    if (granted.direction() != asked_[i].direction() ||
        !WithinRequest(granted.parameters(), asked_[i].parameters())) {
      return Fail(TestFailure::ABORTED, "grant.directions",
                  "the server granted something else than was asked for");
    }
  }
  grant_ = grant;

  facts_.id = *id;
  facts_.role = SessionRole::kClient;
  facts_.negotiated_unix_ns = NowUnixNs();
  facts_.negotiated_steady_ns = SystemSteadyNs();
  facts_.experiment = request_.experiment();
  facts_.purpose = request_.purpose();
  facts_.metadata = request_.metadata();
  facts_.client_address = slots_[0].ends()[0].ip();
  facts_.admission_rule = IsRuleList(grant.admission_rule()) ? grant.admission_rule() : kRemoteRule;
  facts_.policy_digest =
      LooksLikeDigest(grant.policy_digest()) ? grant.policy_digest() : policy_->digest();
  facts_.policy = policy_;
  facts_.server.set_operator_(server_.operator_());
  facts_.server.set_contact(server_.contact());
  facts_.server.set_node(server_.node());
  for (const int direction : request_.directions()) {
    ms::DirectionRequest& requested = facts_.requested.emplace_back();
    requested.set_direction(static_cast<record::v1::Direction>(direction));
    *requested.mutable_parameters() = request_.parameters();
  }
  facts_.granted.assign(grant.directions().begin(), grant.directions().end());

  auto session = std::make_shared<Session>(*id, SessionRole::kClient, facts_.negotiated_unix_ns);
  session->SetTerms(facts_.granted, server_.node(), facts_.admission_rule);
  session->SetState(SessionState::kAdmitted);
  if (!node_.table->Register(session)) {
    return Fail(TestFailure::BAD_REQUEST, "remote.address",
                "this session is already one of this node: a node cannot test against itself");
  }
  {
    std::lock_guard lock(mutex_);
    session_ = session;
    if (cancelled_.has_value()) session->mailbox().Post(StopAsked{*cancelled_});
  }
  ms::RunTestUpdate update;
  *update.mutable_grant() = grant;
  update.mutable_grant()->clear_session_key();
  sink_(std::move(update));
  return true;
}

bool ClientSession::Program() {
  EndsByDirection server_ends;
  if (const std::optional<EndsFault> fault = SortEnds(
          grant_.server_ends(), facts_.granted, record::v1::UP, "server_ends", &server_ends)) {
    return Fail(TestFailure::ABORTED, absl::StrCat("grant.", fault->field), fault->message);
  }
  for (size_t i = 0; i < slots_.size(); ++i) {
    const std::vector<std::string> keys =
        node_.lookup->Keys(slots_[i].ends(), server_ends.at(facts_.granted[i].direction()));
    facts_.flows.insert(facts_.flows.end(), keys.begin(), keys.end());
  }
  if (absl::Status stored = node_.store->BeginSession(ToRow(facts_)); !stored.ok()) {
    return Fail(TestFailure::LOCAL, "store", std::string(stored.message()));
  }
  const SessionTerms terms{
      .session_id = facts_.id.Bytes(), .session_key = grant_.session_key(), .port = port_->name()};
  const std::vector<std::string> reduced_by(grant_.reduced_by().begin(), grant_.reduced_by().end());
  for (size_t i = 0; i < slots_.size(); ++i) {
    const ms::DirectionRequest& direction = facts_.granted[i];
    directions_.push_back(std::make_unique<DirectionRun>(
        std::make_unique<LocalEnd>(node_.dataplane, ports_->connection, direction.direction(),
                                   /*sends=*/direction.direction() == record::v1::UP,
                                   direction.parameters(), std::move(slots_[i])),
        facts_.requested[i].parameters(), reduced_by, node_.calibration));
  }
  for (const std::unique_ptr<DirectionRun>& run : directions_) {
    LocalEnd& end = run->end();
    const absl::Status status = end.Program(terms, server_ends.at(end.direction()));
    if (status.ok()) continue;
    Conclusion conclusion = Conclude(node_, facts_, record::v1::ABORTED, end_reason::kProgramFailed,
                                     Results(end_reason::kProgramFailed, false), Flows());
    session_->SetEnd(conclusion.state, conclusion.completed);
    return Fail(TestFailure::LOCAL, "dataplane",
                absl::StrCat("the local dataplane refused a flow: ", status.message()));
  }
  return true;
}

std::vector<record::v1::DirectionResult> ClientSession::Results(const std::string& end_reason,
                                                                bool clocks_synchronised) {
  std::vector<record::v1::DirectionResult> results;
  for (const std::unique_ptr<DirectionRun>& run : directions_) {
    results.push_back(run->Result(end_reason, clocks_synchronised));
  }
  return results;
}

std::vector<std::vector<dataplane::v1::FlowInfo>> ClientSession::Flows() const {
  std::vector<std::vector<dataplane::v1::FlowInfo>> flows;
  for (const std::unique_ptr<DirectionRun>& run : directions_) flows.push_back(run->end().Flows());
  return flows;
}

void ClientSession::Measure() {
  std::vector<DirectionRun*> runs;
  for (const std::unique_ptr<DirectionRun>& run : directions_) runs.push_back(run.get());
  IntervalRecorder recorder(node_.store, grant_.session_id(), runs);
  const auto observer = [&](SessionState state) {
    recorder(state);
    if (state == SessionState::kRunning && running_since_ns_ == 0) running_since_ns_ = NowUnixNs();
    SendProgress(state == SessionState::kProven ? "proving" : StateName(state));
  };
  SendProgress("proving");
  MeasurementLoop loop(session_.get(), runs, {}, ReadClockQuality(), observer);
  const MeasurementLoop::End end = loop.Run(remote_->Run(session_), grant_.clock());
  if (loop.link() != nullptr) loop.link()->Close();

  // The server's merged results are the session's; its word missing, this node's view stands.
  std::vector<record::v1::DirectionResult> results =
      Results(end.reason, loop.clocks_synchronised());
  if (loop.completed().has_value()) TakeServerResults(*loop.completed(), &results);

  Conclusion conclusion = Conclude(node_, facts_, end.outcome, end.reason, results, Flows());
  if (loop.unusual().has_value()) ReportUnusual(node_, facts_, *loop.unusual());
  directions_.clear();
  reservation_.Release();
  session_->SetEnd(conclusion.state, conclusion.completed);
  node_.table->Retire(session_);

  ms::RunTestUpdate update;
  ms::TestResult& result = *update.mutable_result();
  result.set_session_id(grant_.session_id());
  result.set_outcome(end.outcome);
  result.set_end_reason(end.reason);
  result.mutable_results()->Add(results.begin(), results.end());
  *result.mutable_record_ids() = grant_.record_ids();
  result.set_policy_digest(grant_.policy_digest());
  *result.mutable_server() = server_;
  *result.mutable_requested() = request_.parameters();
  result.mutable_granted()->Add(facts_.granted.begin(), facts_.granted.end());
  sink_(std::move(update));
}

// Only what belongs to the directions asked for, and what is plausible of length.
void ClientSession::TakeServerResults(const ms::Completed& completed,
                                      std::vector<record::v1::DirectionResult>* results) const {
  constexpr size_t kLongestDetail = 500;
  const uint64_t longest = request_.parameters().duration_ns() / IntervalSeries::kLengthNs + 10;
  for (record::v1::DirectionResult& own : *results) {
    for (const record::v1::DirectionResult& theirs : completed.results()) {
      if (theirs.direction() != own.direction() ||
          static_cast<uint64_t>(theirs.intervals_size()) > longest ||
          theirs.limit_detail().size() > kLongestDetail) {
        continue;
      }
      own = theirs;
      own.DiscardUnknownFields();
      break;
    }
  }
}

}  // namespace weir::control
