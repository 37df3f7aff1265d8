#include "control/export/export_policy.h"

#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/admission/ip_address.h"
#include "control/admission/screening.h"

namespace weir::control {
namespace {

// Between the clock of the session and that of its packets, which follows the first once a second.
constexpr int64_t kClockSlackNs = 2'000'000'000;

// Path of the first message that carries a field its schema does not name; empty if none does. Each
// type of message in a record must be looked at here: a test goes through the schema for one that
// is not.
std::string FindUnknownField(const record::v1::Record& record) {
  std::string found;
  const auto look = [&](const char* path, const auto& message) {
    static const google::protobuf::Reflection& reflection =
        *message.GetReflection();  // Of its type.
    const google::protobuf::UnknownFieldSet& unknown = reflection.GetUnknownFields(message);
    if (unknown.empty() || !found.empty()) return;
    found = absl::StrCat(path, " (field number ", unknown.field(0).number(), ")");
  };
  look("record", record);
  look("record.negotiated_at", record.negotiated_at());
  look("record.server", record.server());
  look("record.client", record.client());
  look("record.requested", record.requested());
  for (const auto& size : record.requested().payload()) look("record.requested.payload", size);
  look("record.granted", record.granted());
  for (const auto& size : record.granted().payload()) look("record.granted.payload", size);
  look("record.result", record.result());
  look("record.result.one_way_delay", record.result().one_way_delay());
  for (const auto& one : record.result().intervals()) look("record.result.intervals", one);
  for (const auto& one : record.metadata()) look("record.metadata", one);
  return found;
}

// The session's id and the direction.
bool IsRecordId(std::string_view id, std::string_view session, record::v1::Direction direction) {
  return id.starts_with(session) &&
         id.substr(session.size()) == (direction == record::v1::DOWN ? "-down" : "-up");
}

// Judges one record, stage by stage, noting each if somebody asked.
class Judge {
 public:
  Judge(const AdmittedSession& session, const Measured& measured, const record::v1::Record& record,
        policy::v1::Trace* trace)
      : session_(session), measured_(measured), record_(record), trace_(trace) {}

  // What makes a record one of this session, and complete.
  absl::Status Check() {
    if (const std::string unknown = FindUnknownField(record_); !unknown.empty()) {
      return Refuse("schema", "closed_schema", unknown,
                    "not a field of the record schema; leave it out");
    }
    Note("schema", "closed_schema", "record", {}, {"only fields of the schema"});
    if (absl::Status status = CheckSession(); !status.ok()) return status;
    if (absl::Status status = CheckFlows(); !status.ok()) return status;
    if (absl::Status status = CheckTime(); !status.ok()) return status;
    if (!record_.origin_active()) {
      return Refuse("origin", "active_only", "origin_active",
                    "passive data has no route into the store; it goes to its researcher directly");
    }
    Note("origin", "active_only", "origin_active", {"true"}, {"true"});
    if (absl::Status status = CheckComplete(); !status.ok()) return status;
    return Screen();
  }

  absl::Status Refuse(const char* stage, const char* rule, const std::string& field,
                      const std::string& why) {
    Note(stage, rule, field, {}, {why}, policy::v1::REFUSED);
    return absl::InvalidArgumentError(absl::StrCat("record ", record_.record_id(), ": ", field,
                                                   ": ", why, " (stage ", stage, ", rule ", rule,
                                                   ")"));
  }

  // Value and limit come in pieces, which are joined only if somebody asked.
  using Pieces = std::initializer_list<absl::AlphaNum>;
  policy::v1::TraceStep* Note(const char* stage, std::string_view rule, std::string_view field,
                              Pieces value, Pieces limit,
                              policy::v1::Verdict verdict = policy::v1::PASSED) {
    if (trace_ == nullptr) return nullptr;
    const auto join = [](Pieces pieces) {
      std::string text;
      for (const absl::AlphaNum& piece : pieces) absl::StrAppend(&text, piece);
      return text;
    };
    policy::v1::TraceStep* step = trace_->add_steps();
    step->set_stage(stage);
    step->set_rule(rule.data(), rule.size());
    step->set_field(field.data(), field.size());
    step->set_value(join(value));
    step->set_limit(join(limit));
    step->set_verdict(verdict);
    return step;
  }

  // One step for the rule of each layer, up to the first that withholds the record.
  void NoteRules(const Policy& policy, const ExportVerdict& verdict) {
    if (trace_ == nullptr) return;
    for (size_t layer = 0; layer < verdict.rules.size(); ++layer) {
      const policy::v1::ExportRule* rule = verdict.rules[layer];
      const bool allow = rule != nullptr && rule->effect() == policy::v1::ALLOW;
      policy::v1::TraceStep* step =
          Note("decide", rule == nullptr ? kDefaultDenyRule : rule->name(), "",
               {allow ? "ALLOW" : "DENY"}, {}, allow ? policy::v1::PASSED : policy::v1::REFUSED);
      step->set_profile(policy.layers()[layer]->profile());
      if (rule != nullptr) *step->mutable_serves() = rule->serves();
      if (!allow) return;
    }
  }

  // What becomes of a record that is let through.
  void NoteTerms(const ExportVerdict& verdict, const std::string& client) {
    if (trace_ == nullptr) return;
    Note("address", verdict.rule, "client", {client},
         {record::v1::AddressMode_Name(verdict.address)});
    Note("release", verdict.rule, "release_class", {},
         {record::v1::ReleaseClass_Name(verdict.release_class)});
    if (verdict.release_class == record::v1::PUBLIC) {
      Note("release", verdict.rule, "embargo_days", {}, {verdict.embargo_days});
    }
    if (verdict.keep_days != 0) {
      Note("retention", verdict.rule, "keep_days", {}, {verdict.keep_days});
    }
  }

 private:
  // Whoever wrote it: what is published has no room for personal data but the address.
  absl::Status Screen() {
    if (const auto fault = FindMetadataFault(record_.metadata())) {
      return Refuse("screening", kMetadataRule, "metadata", *fault);
    }
    const std::pair<const char*, const std::string*> texts[] = {
        {"experiment", &session_.experiment},
        {"purpose", &session_.purpose},
        {"end_reason", &record_.end_reason()},
        {"software", &record_.software()},
        {"result.limit_detail", &record_.result().limit_detail()}};
    for (const auto& [field, text] : texts) {
      if (const char* shape = FindPersonalShape(*text)) {
        return Refuse("screening", kMetadataRule, field, absl::StrCat("has the shape of ", shape));
      }
    }
    Note("screening", kMetadataRule, "metadata", {record_.metadata_size(), " keys"},
         {"<= ", kMaxMetadataKeys, ", screened"});
    return absl::OkStatus();
  }

  absl::Status CheckSession() {
    const auto refuse = [&](const char* field, const std::string& why) {
      return Refuse("session", "admitted_session", field, why);
    };
    if (session_.session_id.empty() || session_.admission_rule.empty() ||
        session_.policy_digest.empty()) {
      return refuse("session_id",
                    "its session was never admitted; negotiate one, and what it measures is kept");
    }
    if (record_.session_id() != session_.session_id) {
      return refuse("session_id", absl::StrCat("of another session than ", session_.session_id));
    }
    if (record_.direction() != record::v1::DOWN && record_.direction() != record::v1::UP) {
      return refuse("direction", "required");
    }
    if (!IsRecordId(record_.record_id(), session_.session_id, record_.direction())) {
      return refuse("record_id", "must be the session id and the direction");
    }
    if (session_.negotiated_unix_ns != 0 &&
        (record_.negotiated_at().seconds() != session_.negotiated_unix_ns / 1'000'000'000 ||
         record_.negotiated_at().nanos() != session_.negotiated_unix_ns % 1'000'000'000)) {
      return refuse("negotiated_at", "not when its session was admitted");
    }
    Note("session", "admitted_session", "session_id", {session_.session_id},
         {session_.admission_rule});
    return absl::OkStatus();
  }

  // Each 5-tuple it counts is one that its session was admitted with.
  absl::Status CheckFlows() {
    constexpr char kRule[] = "admitted_flow";
    if (!measured_.flows.has_value()) {
      Note("session", kRule, "flows", {}, {"of the session's stored intervals"},
           policy::v1::NOT_JUDGED);
      return absl::OkStatus();
    }
    const auto& admitted = session_.flows;
    for (const std::string& flow : *measured_.flows) {
      if (std::find(admitted.begin(), admitted.end(), flow) == admitted.end()) {
        return Refuse("session", kRule, "flows",
                      "counts packets of a 5-tuple that its session was not admitted with; only "
                      "what was negotiated is kept");
      }
    }
    if (measured_.flows->empty() && (record_.result().sent() | record_.result().received()) != 0) {
      return Refuse("session", kRule, "flows",
                    "counts packets of no flow of its session; only what was negotiated is kept");
    }
    Note("session", kRule, "flows", {measured_.flows->size()}, {admitted.size(), " admitted"});
    return absl::OkStatus();
  }

  // What it counts arrived while its session was.
  absl::Status CheckTime() {
    constexpr char kRule[] = "session_time";
    const auto first = static_cast<int64_t>(record_.result().first_rx_unix_ns());
    const auto last = static_cast<int64_t>(record_.result().last_rx_unix_ns());
    if (last < first) {
      return Refuse("session", kRule, "result.last_rx_unix_ns", "before first_rx_unix_ns");
    }
    if (first == 0 || !measured_.own_clock || session_.ended_unix_ns == 0) return absl::OkStatus();
    for (const auto& [field, at] :
         {std::pair("result.first_rx_unix_ns", first), std::pair("result.last_rx_unix_ns", last)}) {
      if (at < session_.negotiated_unix_ns - kClockSlackNs ||
          at > session_.ended_unix_ns + kClockSlackNs) {
        return Refuse("session", kRule, field,
                      "not within 2 s of its session's time; only what arrived while the session "
                      "was is kept");
      }
    }
    Note("session", kRule, "result.first_rx_unix_ns", {}, {"within the session's time"});
    return absl::OkStatus();
  }

  absl::Status CheckComplete() {
    const auto refuse = [&](const char* field, const std::string& why) {
      return Refuse("schema", "complete", field, why);
    };
    if (record_.outcome() != record::v1::COMPLETED && record_.outcome() != record::v1::ABORTED) {
      return refuse("outcome", "required");
    }
    if (record_.end_reason().empty()) return refuse("end_reason", "required");
    if (!record_.has_negotiated_at()) return refuse("negotiated_at", "required");
    if (record_.server().operator_().empty() || record_.server().contact().empty()) {
      return refuse("server", "operator and contact are required");
    }
    if (record_.has_result() && record_.result().direction() != record_.direction()) {
      return refuse("result.direction", "not the record's");
    }
    return absl::OkStatus();
  }

  const AdmittedSession& session_;
  const Measured& measured_;
  const record::v1::Record& record_;
  policy::v1::Trace* const trace_;
};

}  // namespace

std::optional<record::v1::Address> KeepAddress(record::v1::AddressMode mode,
                                               const std::string& text) {
  record::v1::Address kept;
  kept.set_mode(mode);
  if (mode == record::v1::ADDRESS_NONE) return kept;
  // What was shortened before is still what it is.
  if (mode == record::v1::ADDRESS_NETBLOCK && text.find('/') != std::string::npos) {
    const auto prefix = IpPrefix::Parse(text);
    if (!prefix.ok() || prefix->length != Netblock(prefix->address).length) return std::nullopt;
    kept.set_value(text);
    return kept;
  }
  const auto address = IpAddress::Parse(text);
  if (!address) return std::nullopt;
  kept.set_value(mode == record::v1::ADDRESS_FULL ? address->ToString()
                                                  : Netblock(*address).ToString());
  return kept;
}

absl::StatusOr<ApprovedRecord> ExportPolicy::Approve(const AdmittedSession& session,
                                                     record::v1::Record record,
                                                     policy::v1::Trace* trace,
                                                     const Measured& measured) const {
  if (trace != nullptr) trace->set_policy_digest(policy_->digest());
  Judge judge(session, measured, record, trace);
  if (absl::Status status = judge.Check(); !status.ok()) return status;
  const ExportVerdict verdict = policy_->MatchExport(session.experiment, session.admission_rule);
  judge.NoteRules(*policy_, verdict);
  if (!verdict.allowed) {
    return absl::PermissionDeniedError(
        absl::StrCat("record ", record.record_id(), ": export rule \"", verdict.rule,
                     "\" withholds it (stage decide); an export rule of the policy must allow it"));
  }
  auto client = KeepAddress(verdict.address, session.client_address);
  if (!client) {
    return judge.Refuse("address", "client_address", "client", "its address is not known");
  }
  judge.NoteTerms(verdict, client->value());
  *record.mutable_client() = *std::move(client);
  record.set_experiment(session.experiment);
  record.set_purpose(session.purpose);
  record.set_admission_rule(session.admission_rule);
  record.set_policy_digest(session.policy_digest);
  record.set_export_rule(verdict.rule);
  record.set_release_class(verdict.release_class);
  record.set_legal_basis(policy_->legal_basis());
  record.set_license(verdict.license);
  return ApprovedRecord(std::move(record), {.embargo_days = verdict.embargo_days,
                                            .anonymise_days = verdict.anonymise_days,
                                            .keep_days = verdict.keep_days});
}

}  // namespace weir::control
