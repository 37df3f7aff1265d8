#include "control/session/server_session.h"

#include <absl/strings/str_cat.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "control/admission/built_in_rules.h"
#include "control/session/clock.h"
#include "control/session/contacts.h"
#include "control/session/end_reason.h"
#include "control/session/interval_recorder.h"
#include "control/session/measurement_loop.h"
#include "control/session/protocol.h"
#include "control/session/secrets.h"
#include "control/session/use_keeper.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

constexpr std::chrono::milliseconds kStartWithin{5000};

AdmissionRequest ToAdmission(const ms::NegotiateRequest& request, const Caller& caller) {
  AdmissionRequest admission;
  admission.identity = caller.identity;
  admission.access_token = request.access_token();
  admission.experiment = request.experiment();
  admission.purpose = request.purpose();
  admission.accepted_notice_digest = request.accepted_notice_digest();
  admission.metadata = request.metadata();
  admission.directions.assign(request.directions().begin(), request.directions().end());
  for (const ms::FlowEnd& end : request.client_ends()) {
    // Judged as one peer, so each address once is enough.
    std::vector<std::string>& addresses = admission.peer_addresses;
    if (addresses.empty() || addresses.back() != end.ip()) addresses.push_back(end.ip());
  }
  return admission;
}

}  // namespace

ServerSession::Outcome ServerSession::Negotiate(const Node& node,
                                                const ms::NegotiateRequest& request,
                                                const Caller& caller, bool draining) {
  Admission& admission = *node.admission;
  if (request.protocol_version() != kProtocolVersion) {
    return admission.Reject("protocol", "protocol_version", "protocol_version",
                            VersionMismatch(request.protocol_version()));
  }
  const std::shared_ptr<const PortTable> ports = node.dataplane->ports();
  if (ports == nullptr) {
    return admission.Reject("capacity", "dataplane", "",
                            "this server's packet engine is not running at the moment; try later, "
                            "or tell the operator");
  }
  AdmissionRequest asked = ToAdmission(request, caller);
  const uint32_t ip_version =
      request.directions().empty() ? 4 : request.directions(0).parameters().ip_version();
  const std::string peer = asked.peer_addresses.empty() ? "" : asked.peer_addresses.front();
  const dataplane::v1::PortInfo* port = ports->For(ip_version, peer);
  if (port == nullptr && (ip_version == 4 || ip_version == 6)) {
    return admission.Reject("capacity", kPortRule, "directions.parameters.ip_version",
                            absl::StrCat("no port of this server has an IPv", ip_version,
                                         " address; ask for the other version"));
  }
  if (port != nullptr) asked.port = port->name();
  asked.store_full = node.store->Full();
  asked.draining = draining;

  AdmissionDecision decision = admission.Decide(asked);
  if (auto* rejection = std::get_if<ms::Rejection>(&decision)) return std::move(*rejection);
  AdmissionGrant& admitted = std::get<AdmissionGrant>(decision);

  EndsByDirection client_ends;
  if (std::optional<EndsFault> fault = SortEnds(request.client_ends(), admitted.directions,
                                                record::v1::DOWN, "client_ends", &client_ends)) {
    return admission.Reject("classify", kRequestFormRule, fault->field, fault->message,
                            admitted.trace.ToProto());
  }

  std::unique_ptr<ServerSession> server(new ServerSession(node));
  server->reservation_ = std::move(admitted.reservation);
  SessionFacts& facts = server->facts_;
  facts.negotiated_unix_ns = NowUnixNs();
  facts.negotiated_steady_ns = SystemSteadyNs();
  facts.id = Uuid::Generate(facts.negotiated_unix_ns / 1'000'000);
  facts.role = SessionRole::kServer;
  facts.experiment = request.experiment();
  facts.purpose = request.purpose();
  facts.metadata = request.metadata();
  facts.client_address = peer;
  facts.admission_rule = admitted.admission_rule;
  facts.policy_digest = admitted.policy->digest();
  facts.policy = admitted.policy;
  facts.server = node.Identity();
  facts.requested = asked.directions;
  facts.granted = admitted.directions;

  ms::Grant& grant = server->grant_;
  grant.set_session_id(facts.id.ToString());
  grant.set_session_key(NewSessionKey());
  grant.mutable_directions()->Add(facts.granted.begin(), facts.granted.end());
  grant.set_start_within_ns(static_cast<uint64_t>(std::chrono::nanoseconds(kStartWithin).count()));
  grant.set_policy_digest(facts.policy_digest);
  grant.set_admission_rule(facts.admission_rule);
  grant.mutable_reduced_by()->Add(admitted.reduced_by.begin(), admitted.reduced_by.end());
  *grant.mutable_clock() = ReadClockQuality();

  const std::string own_ip = IpToText(ip_version == 6 ? port->ip6() : port->ip4());
  std::vector<std::pair<ms::DirectionRequest, EndSlots>> ends;
  for (const ms::DirectionRequest& direction : facts.granted) {
    absl::StatusOr<EndSlots> slots = EndSlots::Reserve(
        &node.dataplane->slots(), direction.direction(), direction.parameters().streams(),
        /*receives=*/direction.direction() == record::v1::UP, own_ip);
    if (!slots.ok()) {
      return admission.Reject("capacity", "flow_slots", "directions.parameters.streams",
                              std::string(slots.status().message()), admitted.trace.ToProto());
    }
    grant.mutable_server_ends()->Add(slots->ends().begin(), slots->ends().end());
    grant.add_record_ids(RecordId(facts.id, direction.direction()));
    ends.emplace_back(direction, *std::move(slots));
  }

  server->session_ =
      std::make_shared<Session>(facts.id, SessionRole::kServer, facts.negotiated_unix_ns);
  server->session_->SetTerms(facts.granted, AddressAsKept(*admitted.policy, facts),
                             facts.admission_rule);
  for (const auto& [direction, slots] : ends) {
    const std::vector<std::string> keys =
        node.lookup->Keys(slots.ends(), client_ends.at(direction.direction()));
    facts.flows.insert(facts.flows.end(), keys.begin(), keys.end());
  }
  SessionRow row = ToRow(facts);
  row.trace = admitted.trace.ToProto();
  row.use = ToUseRows(admitted.charges);
  if (admitted.token) {
    row.token = {.key = UseKeyBytes(admitted.token->key),
                 .expires_unix_s = admitted.token->expires_unix_s};
  }
  if (const auto fault = KeepContact(node, *facts.policy, request, grant.session_id())) {
    return admission.Reject(fault->stage, fault->rule, "sealed_contact", fault->message);
  }
  if (absl::Status stored = node.store->BeginSession(row); !stored.ok()) {
    spdlog::error("store: {}", std::string(stored.message()));
    // The session never was, so nobody left anything with it.
    EraseContact(grant.session_id(), node.contacts, node.store).IgnoreError();
    return admission.Reject("store", "store_write", "",
                            "the session could not be written to the store of results, so it "
                            "cannot be run; try later, or tell the operator",
                            admitted.trace.ToProto());
  }

  server->reservation_.Commit();

  // Known to the table before a flow is programmed, so that no event of one is missed.
  node.table->Register(server->session_);
  // From here on the session exists: whatever happens, it ends in a record.
  const SessionTerms terms{
      .session_id = facts.id.Bytes(), .session_key = grant.session_key(), .port = port->name()};
  if (absl::Status programmed =
          server->Program(client_ends, std::move(ends), ports->connection, terms);
      !programmed.ok()) {
    spdlog::warn("session {}: the dataplane refused a flow: {}", grant.session_id(),
                 std::string(programmed.message()));
    const Conclusion conclusion =
        Conclude(node, facts, record::v1::ABORTED, end_reason::kProgramFailed,
                 server->Results(end_reason::kProgramFailed, false), server->Flows());
    server->session_->SetEnd(conclusion.state, conclusion.completed);
    node.table->Retire(server->session_);
    return admission.Reject("capacity", "dataplane", "", std::string(programmed.message()),
                            admitted.trace.ToProto());
  }
  server->session_->SetState(SessionState::kAdmitted);
  return server;
}

absl::Status ServerSession::Program(const EndsByDirection& client_ends,
                                    std::vector<std::pair<ms::DirectionRequest, EndSlots>> ends,
                                    const std::shared_ptr<const Connection>& connection,
                                    const SessionTerms& terms) {
  const std::vector<std::string> reduced_by(grant_.reduced_by().begin(), grant_.reduced_by().end());
  for (size_t i = 0; i < ends.size(); ++i) {
    auto& [direction, slots] = ends[i];
    directions_.push_back(std::make_unique<DirectionRun>(
        std::make_unique<LocalEnd>(node_.dataplane, connection, direction.direction(),
                                   /*sends=*/direction.direction() == record::v1::DOWN,
                                   direction.parameters(), std::move(slots)),
        facts_.requested[i].parameters(), reduced_by, node_.calibration));
  }
  for (const std::unique_ptr<DirectionRun>& run : directions_) {
    LocalEnd& end = run->end();
    if (absl::Status status = end.Program(terms, client_ends.at(end.direction())); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

std::vector<record::v1::DirectionResult> ServerSession::Results(const std::string& end_reason,
                                                                bool clocks_synchronised) {
  std::vector<record::v1::DirectionResult> results;
  for (const std::unique_ptr<DirectionRun>& run : directions_) {
    results.push_back(run->Result(end_reason, clocks_synchronised));
  }
  return results;
}

std::vector<std::vector<dataplane::v1::FlowInfo>> ServerSession::Flows() const {
  std::vector<std::vector<dataplane::v1::FlowInfo>> flows;
  for (const std::unique_ptr<DirectionRun>& run : directions_) flows.push_back(run->end().Flows());
  return flows;
}

void ServerSession::Run() {
  std::vector<DirectionRun*> runs;
  for (const std::unique_ptr<DirectionRun>& run : directions_) runs.push_back(run.get());
  MeasurementLoop loop(session_.get(), runs, {.start = kStartWithin}, grant_.clock(),
                       IntervalRecorder(node_.store, facts_.id.ToString(), runs));
  const MeasurementLoop::End end = loop.Run(nullptr, {});
  Conclusion conclusion = Conclude(node_, facts_, end.outcome, end.reason,
                                   Results(end.reason, loop.clocks_synchronised()), Flows());
  if (loop.unusual().has_value()) ReportUnusual(node_, facts_, *loop.unusual());
  directions_.clear();  // Frees slots and flows.
  reservation_.Settle(conclusion.moved_bytes);
  reservation_.Release();
  session_->SetEnd(conclusion.state, conclusion.completed);
  node_.table->Retire(session_);
  std::shared_ptr<PeerLink> link = loop.link();
  // A peer that attached at the last moment is told the end as well.
  while (std::optional<SessionEvent> event = session_->mailbox().WaitUntil({})) {
    if (auto* attached = std::get_if<PeerAttached>(&*event)) link = std::move(attached->link);
  }
  if (link == nullptr) return;
  link->Send(std::move(conclusion.completed));
  link->Close();
}

}  // namespace weir::control
