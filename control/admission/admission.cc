#include "control/admission/admission.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "control/admission/label.h"
#include "control/admission/request_form.h"
#include "wire/test_packet.h"

namespace weir::control {
namespace {

using record::v1::Direction;
using record::v1::TestParameters;

// Ethernet header, FCS, preamble and inter-frame gap: what each IP packet costs the wire on top.
constexpr double kWireOverhead = 14 + 4 + 8 + 12;

const char* Name(Direction direction) { return direction == record::v1::DOWN ? "down" : "up"; }

std::string Field(Direction direction, const std::string& name) {
  return absl::StrCat("directions[", Name(direction), "].parameters.", name);
}

std::string Rate(uint64_t bps) {
  const auto value = static_cast<double>(bps);
  if (bps >= 1'000'000'000) return absl::StrFormat("%.6g Gbit/s", value / 1e9);
  if (bps >= 1'000'000) return absl::StrFormat("%.6g Mbit/s", value / 1e6);
  return absl::StrFormat("%.6g kbit/s", value / 1e3);
}

std::string Seconds(double ns) { return absl::StrFormat("%.6g s", ns / 1e9); }

LinkSide Side(NodeRole role, Direction direction) {
  const bool server_sends = direction == record::v1::DOWN;
  return server_sends == (role == NodeRole::kServer) ? LinkSide::kTransmit : LinkSide::kReceive;
}

void AddReason(std::vector<std::string>* reasons, const std::string& reason) {
  if (std::find(reasons->begin(), reasons->end(), reason) == reasons->end()) {
    reasons->push_back(reason);
  }
}

}  // namespace

struct Admission::Attempt {
  const AdmissionRequest& request;
  std::shared_ptr<const Policy> policy = nullptr;
  std::shared_ptr<const std::map<std::string, PortCapacity>> ports = nullptr;

  AdmissionSubject subject = {};
  const policy::v1::AdmissionRule* rule = nullptr;  // Null for a client: no limits apply.
  AdmissionGrant grant = {};
  measurement::v1::Rejection rejection = {};
};

Admission::Admission(Options options, std::shared_ptr<const Policy> policy)
    : options_(std::move(options)),
      ledger_(std::make_shared<Ledger>()),
      policy_(std::move(policy)),
      ports_(std::make_shared<std::map<std::string, PortCapacity>>()) {}

void Admission::SetPorts(std::vector<PortCapacity> ports) {
  auto by_name = std::make_shared<std::map<std::string, PortCapacity>>();
  for (PortCapacity& port : ports) {
    const auto budget = options_.port_budgets.find(port.name);
    if (budget != options_.port_budgets.end()) port.budget_bps = budget->second;
    std::string name = port.name;
    by_name->insert_or_assign(std::move(name), std::move(port));
  }
  const std::lock_guard lock(mutex_);
  ports_ = std::move(by_name);
}

void Admission::SetPolicy(std::shared_ptr<const Policy> policy) {
  const std::lock_guard lock(mutex_);
  policy_ = std::move(policy);
}

std::shared_ptr<const Policy> Admission::policy() const {
  const std::lock_guard lock(mutex_);
  return policy_;
}

measurement::v1::Rejection Admission::Reject(std::string stage, std::string rule, std::string field,
                                             std::string message) const {
  measurement::v1::Rejection rejection;
  rejection.set_stage(std::move(stage));
  rejection.set_rule(std::move(rule));
  rejection.set_field(std::move(field));
  rejection.set_message(std::move(message));
  rejection.set_operator_(options_.operator_name);
  rejection.set_contact(options_.contact);
  return rejection;
}

bool Admission::Refuse(Attempt* attempt, const char* stage, const std::string& rule,
                       const std::string& field, const std::string& message) const {
  attempt->rejection = Reject(stage, rule, field, message);
  return false;
}

AdmissionDecision Admission::Decide(const AdmissionRequest& request) {
  Attempt attempt{.request = request};
  {
    const std::lock_guard lock(mutex_);
    attempt.policy = policy_;
    attempt.ports = ports_;
  }
  const bool admitted = request.role == NodeRole::kServer
                            ? Identify(&attempt) && Classify(&attempt) && Choose(&attempt) &&
                                  Limit(&attempt) && Reserve(&attempt)
                            : Classify(&attempt) && Limit(&attempt) && Reserve(&attempt);
  if (!admitted) return std::move(attempt.rejection);
  attempt.grant.policy = std::move(attempt.policy);
  return std::move(attempt.grant);
}

// Who asks, and whether they know what is collected.
bool Admission::Identify(Attempt* attempt) const {
  const AdmissionRequest& request = attempt->request;
  if (!request.access_token.empty()) {
    return Refuse(attempt, "identify", kAccessTokenRule, "access_token",
                  "this server trusts no token issuer; ask without a token, anonymously or with a "
                  "client certificate");
  }
  if (request.peer_addresses.empty()) {
    return Refuse(attempt, "identify", kOnePeerRule, "client_ends.ip",
                  "required: the address the test packets use");
  }
  for (const std::string& text : request.peer_addresses) {
    const auto address = IpAddress::Parse(text);
    if (!address || address->IsUnspecified() || address->IsMulticast()) {
      return Refuse(attempt, "identify", kOnePeerRule, "client_ends.ip",
                    absl::StrCat("\"", text, "\" is not the address of one host"));
    }
    if (&text == &request.peer_addresses.front()) {
      attempt->subject.client = *address;
    } else if (!(*address == attempt->subject.client)) {
      return Refuse(attempt, "identify", kOnePeerRule, "client_ends.ip",
                    "a session has one peer; use one address for all its ends");
    }
  }
  attempt->subject.identity = request.identity;
  const std::string& digest = attempt->policy->notice_digest();
  if (!digest.empty() && request.accepted_notice_digest != digest) {
    return Refuse(attempt, "identify", kNoticeRule, "accepted_notice_digest",
                  absl::StrCat("the notice of what is collected must be read and accepted first; "
                               "its digest is ",
                               digest));
  }
  return true;
}

// What is asked, in the terms rules are written in.
bool Admission::Classify(Attempt* attempt) const {
  const AdmissionRequest& request = attempt->request;
  const auto refuse = [&](const std::string& field, const std::string& message) {
    return Refuse(attempt, "classify", kRequestFormRule, field, message);
  };
  for (const auto& [field, label] :
       {std::pair{"experiment", &request.experiment}, std::pair{"purpose", &request.purpose}}) {
    if (!label->empty() && !IsLabel(*label)) {
      return refuse(field, absl::StrCat("it is published with the result; allowed: ", kLabelForm));
    }
  }
  attempt->subject.experiment = request.experiment;
  attempt->subject.purpose = request.purpose;

  if (request.directions.empty()) return refuse("directions", "required: down, up or both");
  for (const auto& asked : request.directions) {
    const Direction direction = asked.direction();
    if (direction != record::v1::DOWN && direction != record::v1::UP) {
      return refuse("directions.direction", "allowed: DOWN, UP");
    }
    auto& named = attempt->subject.directions;
    if (std::find(named.begin(), named.end(), Name(direction)) != named.end()) {
      return refuse("directions", absl::StrCat(Name(direction), " is asked for twice"));
    }
    named.push_back(Name(direction));
    if (const auto fault = FindFormFault(asked.parameters())) {
      return refuse(Field(direction, fault->field), fault->message);
    }
    if (!request.peer_addresses.empty() && request.role == NodeRole::kServer &&
        static_cast<int>(asked.parameters().ip_version()) != attempt->subject.client.version()) {
      return refuse(Field(direction, "ip_version"),
                    absl::StrCat(asked.parameters().ip_version(), ", but client_ends.ip is IPv",
                                 attempt->subject.client.version()));
    }
  }
  return true;
}

bool Admission::Choose(Attempt* attempt) const {
  attempt->rule = attempt->policy->MatchAdmission(attempt->subject);
  if (attempt->rule == nullptr) {
    const AdmissionSubject& subject = attempt->subject;
    return Refuse(
        attempt, "decide", kDefaultDenyRule, "",
        absl::StrCat("no rule of the policy admits this request (identity ", subject.identity,
                     ", experiment \"", subject.experiment, "\", purpose \"", subject.purpose,
                     "\", ", absl::StrJoin(subject.directions, "+"),
                     "); ask the operator who may test here"));
  }
  if (attempt->rule->effect() != policy::v1::ALLOW) {
    return Refuse(attempt, "decide", attempt->rule->name(), "",
                  attempt->rule->reason().empty() ? "the policy refuses this request"
                                                  : attempt->rule->reason());
  }
  attempt->grant.admission_rule = attempt->rule->name();
  return true;
}

// Rates shrink to the rule's limit; everything else must be within it.
bool Admission::Limit(Attempt* attempt) const {
  attempt->grant.directions = attempt->request.directions;
  if (attempt->rule == nullptr) return true;
  const policy::v1::Limit& limit = attempt->rule->limit();
  const std::string& rule = attempt->rule->name();
  for (auto& granted : attempt->grant.directions) {
    TestParameters& parameters = *granted.mutable_parameters();
    const auto refuse = [&](const char* field, const std::string& message) {
      return Refuse(attempt, "limit", rule, Field(granted.direction(), field), message);
    };
    const uint64_t limit_ns = uint64_t{limit.duration_ms()} * 1'000'000;
    if (limit_ns != 0 && parameters.duration_ns() > limit_ns) {
      return refuse("duration_ns",
                    absl::StrCat(Seconds(static_cast<double>(parameters.duration_ns())),
                                 " is longer than allowed; ask for at most ",
                                 Seconds(static_cast<double>(limit_ns))));
    }
    if (limit.streams() != 0 && parameters.streams() > limit.streams()) {
      return refuse("streams", absl::StrCat(parameters.streams(), " are too many; ask for at most ",
                                            limit.streams()));
    }
    for (const auto& size : parameters.payload()) {
      const uint32_t bytes = size.udp_payload_bytes();
      if (bytes < limit.min_udp_payload_bytes()) {
        return refuse("payload.udp_payload_bytes",
                      absl::StrCat(bytes, " bytes are too small; ask for at least ",
                                   limit.min_udp_payload_bytes()));
      }
      if (limit.max_udp_payload_bytes() != 0 && bytes > limit.max_udp_payload_bytes()) {
        return refuse("payload.udp_payload_bytes",
                      absl::StrCat(bytes, " bytes are too large; ask for at most ",
                                   limit.max_udp_payload_bytes()));
      }
    }
    if (parameters.rate_max() && !limit.allow_rate_max()) {
      return refuse("rate_max", limit.rate_bps() == 0
                                    ? "\"max\" is not allowed; ask for a rate"
                                    : absl::StrCat("\"max\" is not allowed; ask for a rate of at "
                                                   "most ",
                                                   Rate(limit.rate_bps())));
    }
    if (limit.rate_bps() != 0 &&
        (parameters.rate_max() || parameters.rate_bps() > limit.rate_bps())) {
      parameters.set_rate_bps(limit.rate_bps());
      AddReason(&attempt->grant.reduced_by, rule);
    }
  }
  return true;
}

const PortCapacity* Admission::FindPort(Attempt* attempt) const {
  const auto& ports = *attempt->ports;
  const std::string& name = attempt->request.port;
  const auto found = name.empty() && ports.size() == 1 ? ports.begin() : ports.find(name);
  if (found == ports.end()) {
    Refuse(attempt, "capacity", kPortRule, "port",
           ports.empty()
               ? std::string("this node has no dataplane port at the moment; try later")
               : absl::StrCat("no port is named \"", name, "\"; ports: ",
                              absl::StrJoin(ports, ", ", [](std::string* out, const auto& port) {
                                absl::StrAppend(out, port.first);
                              })));
    return nullptr;
  }
  const PortCapacity& port = found->second;
  if (!port.link_up) {
    Refuse(
        attempt, "capacity", kPortRule, "port",
        absl::StrCat("port \"", port.name, "\" has no link; check the cable or the peer device"));
    return nullptr;
  }
  if (port.Budget() == 0) {
    Refuse(attempt, "capacity", kPortRule, "port",
           absl::StrCat("the link rate of port \"", port.name,
                        "\" is unknown; the operator must set port.budget_bps"));
    return nullptr;
  }
  return &port;
}

// Judged and taken under one lock, so that two requests cannot both have the last of the link.
bool Admission::Reserve(Attempt* attempt) const {
  const AdmissionRequest& request = attempt->request;
  if (request.draining) {
    return Refuse(attempt, "capacity", kDrainingRule, "",
                  "this server is shutting down; try another, or later");
  }
  const PortCapacity* port = FindPort(attempt);
  if (port == nullptr) return false;

  const auto lock = ledger_->Lock();
  if (ledger_->SessionsLocked() >= options_.max_sessions) {
    return Refuse(attempt, "capacity", kMaxSessionsRule, "",
                  absl::StrCat("all ", options_.max_sessions, " sessions are in use; try later"));
  }
  if (attempt->rule != nullptr) {
    const uint32_t concurrent = attempt->rule->limit().concurrent_sessions();
    if (concurrent != 0 && ledger_->RuleSessionsLocked(attempt->rule->name()) >= concurrent) {
      return Refuse(attempt, "limit", attempt->rule->name(), "concurrent_sessions",
                    absl::StrCat("all ", concurrent,
                                 " sessions this rule allows are in use; try "
                                 "later"));
    }
  }

  Ledger::Claim claim{.port = port->name, .rule = attempt->grant.admission_rule};
  const Ledger::Usage usage = ledger_->PortUsageLocked(port->name);
  for (size_t i = 0; i < attempt->grant.directions.size(); ++i) {
    auto& granted = attempt->grant.directions[i];
    TestParameters& parameters = *granted.mutable_parameters();
    const TestParameters& asked = request.directions[i].parameters();
    const auto field = [&](const char* name) { return Field(granted.direction(), name); };

    const uint32_t largest = LargestIpPacket(asked);
    if (largest > port->mtu) {
      const uint32_t headers = asked.ip_version() == 4 ? 28 : 48;
      return Refuse(attempt, "capacity", kMtuRule, field("payload.udp_payload_bytes"),
                    absl::StrCat("an IP packet of ", largest, " bytes is larger than the MTU ",
                                 port->mtu, " of port \"", port->name, "\"; ask for at most ",
                                 port->mtu > headers ? port->mtu - headers : 0, " bytes"));
    }
    if (asked.rate_bps() > port->Ceiling()) {
      return Refuse(attempt, "capacity", kLinkRateRule, field("rate_bps"),
                    absl::StrCat(Rate(asked.rate_bps()), " is above what port \"", port->name,
                                 "\" carries; ask for at most ", Rate(port->Budget())));
    }

    uint64_t rate = parameters.rate_bps() != 0 ? parameters.rate_bps() : port->Budget();
    const double mean = MeanIpPacket(asked);
    // A budget above the link's nominal rate says the nominal rate means nothing (memif, tap).
    if (port->link_bps >= port->Budget()) {
      const auto wire = static_cast<uint64_t>(static_cast<double>(port->link_bps) * mean /
                                              (mean + kWireOverhead));
      if (rate > wire) {
        rate = wire;
        if (!parameters.rate_max()) AddReason(&attempt->grant.reduced_by, kLinkRateRule);
      }
    }
    const size_t side = static_cast<size_t>(Side(request.role, granted.direction()));
    const uint64_t used = usage.bps[side];
    const uint64_t left = port->Budget() > used ? port->Budget() - used : 0;
    if (rate > left) {
      rate = left;
      AddReason(&attempt->grant.reduced_by, kLinkBudgetRule);
    }
    if (static_cast<double>(rate) < mean * 8 * asked.streams()) {
      return Refuse(attempt, "capacity", kLinkBudgetRule, field("rate_bps"),
                    absl::StrCat("the ", usage.sessions, " sessions on port \"", port->name,
                                 "\" use ", Rate(used), " of its budget of ", Rate(port->Budget()),
                                 "; try when they have ended"));
    }
    parameters.set_rate_bps(rate);
    claim.bps[side] += rate;
  }
  if (request.store_full) {
    return Refuse(attempt, "store", kStoreFullRule, "",
                  "the store of results is full, so a test could not be recorded; try later, or "
                  "tell the operator");
  }
  ledger_->AddLocked(claim);
  attempt->grant.reservation = Reservation(ledger_, std::move(claim));
  return true;
}

measurement::v1::Limits Admission::Limits() const {
  std::shared_ptr<const Policy> policy;
  std::shared_ptr<const std::map<std::string, PortCapacity>> ports;
  {
    const std::lock_guard lock(mutex_);
    policy = policy_;
    ports = ports_;
  }
  // The widest of the rules: what somebody may have. 0 is "no limit" and wider than any number.
  bool first = true;
  uint64_t rate = 0, duration_ms = 0;
  uint32_t streams = 0, least = 0, most = 0;
  const auto widen = [&](auto* widest, auto limit) {
    *widest = first ? limit : (*widest == 0 || limit == 0) ? 0 : std::max(*widest, limit);
  };
  for (const policy::v1::AdmissionRule& rule : policy->proto().admission()) {
    if (rule.effect() != policy::v1::ALLOW) continue;
    const policy::v1::Limit& limit = rule.limit();
    widen(&rate, uint64_t{limit.rate_bps()});
    widen(&duration_ms, uint64_t{limit.duration_ms()});
    widen(&streams, uint32_t{limit.streams()});
    widen(&most, uint32_t{limit.max_udp_payload_bytes()});
    least = first ? limit.min_udp_payload_bytes() : std::min(least, limit.min_udp_payload_bytes());
    first = false;
  }
  uint64_t budget = 0;
  uint32_t mtu = 0;
  for (const auto& [name, port] : *ports) {
    budget = std::max(budget, port.Budget());
    mtu = std::max(mtu, port.mtu);
  }
  const uint32_t fits = mtu > 28 ? mtu - 28 : 0;

  measurement::v1::Limits limits;
  limits.set_max_rate_bps(rate == 0 ? budget : budget == 0 ? rate : std::min(rate, budget));
  limits.set_max_duration_ns((duration_ms == 0 ? kMaxDurationNs / 1'000'000 : duration_ms) *
                             1'000'000);
  limits.set_max_streams(streams == 0 ? kMaxStreams : std::min(streams, kMaxStreams));
  limits.set_min_udp_payload_bytes(std::max(least, wire::kMinUdpPayload));
  limits.set_max_udp_payload_bytes(most == 0 ? fits : fits == 0 ? most : std::min(most, fits));
  limits.set_budget_bps(budget);
  return limits;
}

}  // namespace weir::control
