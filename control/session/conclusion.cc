#include "control/session/conclusion.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "control/export/export_policy.h"
#include "control/session/clock.h"
#include "control/session/use_keeper.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

constexpr char kSoftware[] = "weir " WEIR_VERSION;

record::v1::Record MakeRecord(const SessionFacts& facts, size_t index, record::v1::Outcome outcome,
                              const std::string& end_reason, record::v1::DirectionResult result) {
  record::v1::Record record;
  record.set_record_id(RecordId(facts.id, facts.granted[index].direction()));
  record.set_session_id(facts.id.ToString());
  record.set_direction(facts.granted[index].direction());
  record.set_outcome(outcome);
  record.set_end_reason(end_reason);
  record.mutable_negotiated_at()->set_seconds(
      static_cast<int64_t>(facts.negotiated_unix_ns / 1'000'000'000));
  record.mutable_negotiated_at()->set_nanos(
      static_cast<int32_t>(facts.negotiated_unix_ns % 1'000'000'000));
  *record.mutable_server() = facts.server;
  record.set_origin_active(true);
  *record.mutable_requested() = facts.requested[index].parameters();
  *record.mutable_granted() = facts.granted[index].parameters();
  *record.mutable_result() = std::move(result);
  record.set_software(kSoftware);
  *record.mutable_metadata() = facts.metadata;
  return record;
}

// True if the wall clock has gone on evenly since the session was negotiated.
bool ClockWasSteady(const SessionFacts& facts, int64_t now_unix_ns) {
  constexpr int64_t kJumpNs = 1'000'000'000;
  if (facts.negotiated_steady_ns == 0) return false;
  const int64_t by_wall = now_unix_ns - static_cast<int64_t>(facts.negotiated_unix_ns);
  const int64_t by_steady = SystemSteadyNs() - facts.negotiated_steady_ns;
  return std::abs(by_wall - by_steady) < kJumpNs;
}

bool Receives(const SessionFacts& facts, record::v1::Direction direction) {
  return (direction == record::v1::UP) == (facts.role == SessionRole::kServer);
}

}  // namespace

SessionRow ToRow(const SessionFacts& facts) {
  ms::NegotiateRequest requested;
  requested.mutable_directions()->Add(facts.requested.begin(), facts.requested.end());
  *requested.mutable_metadata() = facts.metadata;
  ms::TestResult granted;
  granted.mutable_granted()->Add(facts.granted.begin(), facts.granted.end());
  granted.mutable_server()->set_operator_(facts.server.operator_());
  granted.mutable_server()->set_contact(facts.server.contact());
  granted.mutable_server()->set_node(facts.server.node());

  SessionRow row;
  row.session_id = facts.id.ToString();
  row.role = facts.role == SessionRole::kServer ? "server" : "client";
  row.started_unix_ns = static_cast<int64_t>(facts.negotiated_unix_ns);
  row.admission_rule = facts.admission_rule;
  row.policy_digest = facts.policy_digest;
  row.experiment = facts.experiment;
  row.purpose = facts.purpose;
  row.client_address = facts.client_address;
  row.flows = facts.flows;
  row.requested = requested.SerializeAsString();
  row.granted = granted.SerializeAsString();
  return row;
}

absl::StatusOr<SessionFacts> FromRow(const SessionRow& row) {
  const std::optional<Uuid> id = Uuid::Parse(row.session_id);
  ms::NegotiateRequest requested;
  ms::TestResult granted;
  if (!id.has_value() || !requested.ParseFromString(row.requested) ||
      !granted.ParseFromString(row.granted) ||
      requested.directions_size() != granted.granted_size()) {
    return absl::DataLossError("the store's row of session " + row.session_id +
                               " cannot be read; was it written by another version?");
  }
  SessionFacts facts;
  facts.id = *id;
  facts.role = row.role == "server" ? SessionRole::kServer : SessionRole::kClient;
  facts.negotiated_unix_ns = static_cast<uint64_t>(row.started_unix_ns);
  facts.experiment = row.experiment;
  facts.purpose = row.purpose;
  facts.metadata = requested.metadata();
  facts.client_address = row.client_address;
  facts.admission_rule = row.admission_rule;
  facts.policy_digest = row.policy_digest;
  facts.server.set_operator_(granted.server().operator_());
  facts.server.set_contact(granted.server().contact());
  facts.server.set_node(granted.server().node());
  facts.requested.assign(requested.directions().begin(), requested.directions().end());
  facts.granted.assign(granted.granted().begin(), granted.granted().end());
  facts.flows = row.flows;
  return facts;
}

std::string RecordId(const Uuid& session, record::v1::Direction direction) {
  return session.ToString() + (direction == record::v1::DOWN ? "-down" : "-up");
}

Ending Judge(const Node& node, const SessionFacts& facts, record::v1::Outcome outcome,
             const std::string& end_reason, std::vector<record::v1::DirectionResult> results,
             const std::vector<std::vector<dataplane::v1::FlowInfo>>& flows) {
  Ending ending;
  auto& [end, conclusion] = ending;
  conclusion.completed.set_outcome(outcome);
  conclusion.completed.set_end_reason(end_reason);
  conclusion.completed.mutable_results()->Add(results.begin(), results.end());
  conclusion.state =
      outcome == record::v1::COMPLETED ? SessionState::kExported : SessionState::kAborted;

  const auto now_unix_ns = static_cast<int64_t>(NowUnixNs());
  const bool steady = ClockWasSteady(facts, now_unix_ns);
  const AdmittedSession admitted{
      .session_id = facts.id.ToString(),
      .admission_rule = facts.admission_rule,
      .policy_digest = facts.policy_digest,
      .experiment = facts.experiment,
      .purpose = facts.purpose,
      .negotiated_unix_ns = static_cast<int64_t>(facts.negotiated_unix_ns),
      .ended_unix_ns = now_unix_ns,
      .client_address = facts.client_address,
      .flows = facts.flows};
  const ExportPolicy export_policy(facts.policy ? facts.policy : node.admission->policy());
  end.session_id = admitted.session_id;
  end.end_reason = end_reason;
  for (size_t i = 0; i < facts.granted.size(); ++i) {
    conclusion.moved_bytes += MovedBytes(results[i], facts.granted[i].parameters());
    node.metrics->CountTest(facts.granted[i].direction(), outcome);
    node.metrics->CountResult(results[i]);
    node.metrics->CountLimit(results[i].limit());
    Measured measured;
    if (!flows.empty()) measured.flows = node.lookup->Keys(flows[i]);
    measured.own_clock = steady && Receives(facts, facts.granted[i].direction());
    absl::StatusOr<ApprovedRecord> approved = export_policy.Approve(
        admitted, MakeRecord(facts, i, outcome, end_reason, std::move(results[i])),
        /*trace=*/nullptr, measured);
    if (!approved.ok()) {
      spdlog::warn("session {}: no record is kept of one direction: {}", admitted.session_id,
                   std::string(approved.status().message()));
      conclusion.state = SessionState::kWithheld;
      end.detail = std::string(approved.status().message());
      continue;
    }
    conclusion.completed.add_record_ids(approved->record().record_id());
    end.records.push_back(*std::move(approved));
  }
  end.state = StateName(conclusion.state);
  end.moved_bytes = conclusion.moved_bytes;
  return ending;
}

void StoreEnds(const Node& node, std::span<const SessionEnd> ends) {
  const std::vector<absl::Status> stored = node.store->FinishSessions(ends);
  for (size_t i = 0; i < ends.size(); ++i) {
    const SessionEnd& end = ends[i];
    if (!stored[i].ok()) {
      spdlog::error("session {}: its end is not in the store yet: {}", end.session_id,
                    std::string(stored[i].message()));
    }
    spdlog::info("session {}: {} ({})", end.session_id, end.state, end.end_reason);
  }
}

Conclusion Conclude(const Node& node, const SessionFacts& facts, record::v1::Outcome outcome,
                    const std::string& end_reason, std::vector<record::v1::DirectionResult> results,
                    const std::vector<std::vector<dataplane::v1::FlowInfo>>& flows) {
  Ending ending = Judge(node, facts, outcome, end_reason, std::move(results), flows);
  StoreEnds(node, {&ending.end, 1});
  return std::move(ending.conclusion);
}

std::string AddressAsKept(const Policy& policy, const SessionFacts& facts) {
  const ExportVerdict verdict = policy.MatchExport(facts.experiment, facts.admission_rule);
  const auto kept = KeepAddress(verdict.address, facts.client_address);
  return kept ? kept->value() : "";
}

void ReportUnusual(const Node& node, const SessionFacts& facts, const Unusual& unusual) {
  node.notices->Raise(unusual,
                      {.session_ids = {facts.id.ToString()}, .action = "the session was stopped"});
}

}  // namespace weir::control
