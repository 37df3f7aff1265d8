#include "control/export/explain.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/admission/admission.h"
#include "control/cli/render_trace.h"
#include "control/config/text_proto.h"
#include "control/export/export_policy.h"
#include "measurement/v1/explain.pb.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

constexpr int kAllowed = 0;
constexpr int kFaulty = 2;
constexpr int kRefused = 3;

constexpr uint32_t kUsualMtu = 1500;
constexpr char kLink[] = "link";

template <typename Message>
absl::StatusOr<Message> ReadJson(const std::string& path) {
  auto text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  Message message;
  const auto status = google::protobuf::util::JsonStringToMessage(*text, &message);
  if (!status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": not a ", Message::descriptor()->full_name(), ": ", std::string(status.message())));
  }
  return message;
}

AdmissionRequest ToRequest(const ms::AdmissionQuery& query, const Policy& policy) {
  const ms::NegotiateRequest& asked = query.request();
  AdmissionRequest request;
  request.explain = true;
  request.without_link = !query.has_link();
  request.port = kLink;
  if (!query.identity().empty()) request.identity = query.identity();
  request.access_token = asked.access_token();
  request.experiment = asked.experiment();
  request.purpose = asked.purpose();
  request.accepted_notice_digest = asked.accepted_notice_digest();
  if (asked.accepted_notice_digest().empty() && !query.notice_not_accepted()) {
    request.accepted_notice_digest = policy.notice_digest();
  }
  request.metadata = asked.metadata();
  request.directions.assign(asked.directions().begin(), asked.directions().end());
  for (const ms::FlowEnd& end : asked.client_ends()) request.peer_addresses.push_back(end.ip());
  return request;
}

// What other sessions hold of the link in each direction.
Reservation Occupy(Admission* admission, uint64_t bps) {
  AdmissionRequest request;
  request.role = NodeRole::kClient;
  request.port = kLink;
  for (const auto direction : {record::v1::DOWN, record::v1::UP}) {
    ms::DirectionRequest& one = request.directions.emplace_back();
    one.set_direction(direction);
    one.mutable_parameters()->set_rate_bps(bps);
    one.mutable_parameters()->set_duration_ns(1'000'000'000);
    one.mutable_parameters()->set_streams(1);
    one.mutable_parameters()->set_ip_version(4);
    one.mutable_parameters()->add_payload()->set_udp_payload_bytes(18);
    one.mutable_parameters()->mutable_payload(0)->set_weight(1);
  }
  AdmissionDecision decision = admission->Decide(request);
  auto* grant = std::get_if<AdmissionGrant>(&decision);
  return grant == nullptr ? Reservation() : std::move(grant->reservation);
}

absl::StatusOr<bool> ExplainRequest(const std::string& path,
                                    const std::shared_ptr<const Policy>& policy,
                                    ms::Explanation* explanation) {
  const auto query = ReadJson<ms::AdmissionQuery>(path);
  if (!query.ok()) return query.status();
  Admission admission({.operator_name = {}, .contact = {}}, policy);
  Reservation others;
  if (query->has_link()) {
    const ms::AdmissionQuery::Link& link = query->link();
    // A budget without a link rate: the wire's own overhead is not judged.
    admission.SetPorts({{.name = kLink,
                         .budget_bps = link.budget_bps(),
                         .mtu = link.mtu() == 0 ? kUsualMtu : link.mtu()}});
    const uint64_t used = std::min(link.used_bps(), link.budget_bps());
    if (used != 0) others = Occupy(&admission, used);
  }
  AdmissionDecision decision = admission.Decide(ToRequest(*query, *policy));
  if (auto* rejection = std::get_if<ms::Rejection>(&decision)) {
    *explanation->mutable_trace() = std::move(*rejection->mutable_trace());
    rejection->clear_trace();
    *explanation->mutable_rejection() = std::move(*rejection);
    return false;
  }
  AdmissionGrant& grant = std::get<AdmissionGrant>(decision);
  *explanation->mutable_trace() = grant.trace.ToProto();
  explanation->mutable_grant()->mutable_directions()->Add(grant.directions.begin(),
                                                          grant.directions.end());
  explanation->mutable_grant()->set_admission_rule(grant.admission_rule);
  explanation->mutable_grant()->mutable_reduced_by()->Add(grant.reduced_by.begin(),
                                                          grant.reduced_by.end());
  explanation->mutable_grant()->set_policy_digest(policy->digest());
  return true;
}

absl::StatusOr<bool> ExplainRecord(const std::string& path,
                                   const std::shared_ptr<const Policy>& policy,
                                   ms::Explanation* explanation) {
  const auto record = ReadJson<record::v1::Record>(path);
  if (!record.ok()) return record.status();
  const AdmittedSession session{.session_id = record->session_id(),
                                .admission_rule = record->admission_rule(),
                                .policy_digest = record->policy_digest(),
                                .experiment = record->experiment(),
                                .purpose = record->purpose(),
                                .client_address = record->client().value()};
  const auto approved =
      ExportPolicy(policy).Approve(session, *record, explanation->mutable_trace());
  if (!approved.ok()) {
    explanation->set_why_withheld(std::string(approved.status().message()));
    return false;
  }
  explanation->set_approved(true);
  explanation->set_export_rule(approved->record().export_rule());
  explanation->set_address_mode(record::v1::AddressMode_Name(approved->record().client().mode()));
  explanation->set_release_class(record::v1::ReleaseClass_Name(approved->record().release_class()));
  return true;
}

std::string Verdict(const ms::Explanation& explanation) {
  if (explanation.has_grant()) {
    const ms::Grant& grant = explanation.grant();
    return absl::StrCat("admitted by ", grant.admission_rule(),
                        grant.reduced_by().empty() ? "" : "; rate reduced by ",
                        absl::StrJoin(grant.reduced_by(), ", "));
  }
  if (explanation.has_rejection()) {
    const ms::Rejection& rejection = explanation.rejection();
    return absl::StrCat("refused by ", rejection.rule(), " (stage ", rejection.stage(),
                        rejection.field().empty() ? "" : ", field ", rejection.field(),
                        "): ", rejection.message());
  }
  if (!explanation.approved()) return absl::StrCat("withheld: ", explanation.why_withheld());
  return absl::StrCat("approved by ", explanation.export_rule(), ": ", explanation.address_mode(),
                      ", ", explanation.release_class());
}

}  // namespace

int ExplainPolicy(const ExplainOptions& options, std::ostream& out, std::ostream& err) {
  if (options.request.empty() == options.record.empty()) {
    err << "give one of --request FILE and --record FILE\n";
    return kFaulty;
  }
  const auto policy = LoadPolicy(options.files);
  if (!policy.ok()) {
    err << std::string(policy.status().message()) << "\n";
    return kFaulty;
  }
  ms::Explanation explanation;
  explanation.mutable_files()->Add(options.files.begin(), options.files.end());
  explanation.set_profile((*policy)->profile());
  const auto allowed = options.request.empty()
                           ? ExplainRecord(options.record, *policy, &explanation)
                           : ExplainRequest(options.request, *policy, &explanation);
  if (!allowed.ok()) {
    err << std::string(allowed.status().message()) << "\n";
    return kFaulty;
  }
  if (options.json) {
    google::protobuf::util::JsonPrintOptions print;
    print.preserve_proto_field_names = true;
    print.always_print_primitive_fields = true;
    std::string json;
    if (!google::protobuf::util::MessageToJsonString(explanation, &json, print).ok()) json = "{}";
    out << json << "\n";
  } else {
    out << explanation.profile() << ", " << (*policy)->digest() << "\n\n"
        << cli::RenderTrace(explanation.trace(), "") << "\n"
        << Verdict(explanation) << "\n";
  }
  return *allowed ? kAllowed : kRefused;
}

}  // namespace weir::control
