// The stages that depend on what the links and the node have left.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/admission/attempt.h"
#include "control/admission/request_form.h"

namespace weir::control {
namespace {

using record::v1::Direction;
using record::v1::TestParameters;

// Ethernet header, FCS, preamble and inter-frame gap: what each IP packet costs the wire on top.
constexpr double kWireOverhead = 14 + 4 + 8 + 12;

LinkSide Side(NodeRole role, Direction direction) {
  const bool server_sends = direction == record::v1::DOWN;
  return server_sends == (role == NodeRole::kServer) ? LinkSide::kTransmit : LinkSide::kReceive;
}

// What a rule's sessions are counted under: names are unique within a layer only.
std::string ConcurrencyKey(size_t layer, const policy::v1::AdmissionRule& rule) {
  return absl::StrCat(layer, "/", rule.name());
}

}  // namespace

const PortCapacity* Admission::FindPort(Attempt* attempt) const {
  const auto& ports = *attempt->ports;
  const std::string& name = attempt->request.port;
  const auto found = name.empty() && ports.size() == 1 ? ports.begin() : ports.find(name);
  const auto refuse = [&](const std::string& message) {
    Refuse(attempt, {"capacity", kPortRule, "port"}, message);
    return nullptr;
  };
  if (found == ports.end()) {
    return refuse(
        ports.empty()
            ? std::string("this node has no dataplane port at the moment; try later")
            : absl::StrCat("no port is named \"", name, "\"; ports: ",
                           absl::StrJoin(ports, ", ", [](std::string* out, const auto& port) {
                             absl::StrAppend(out, port.first);
                           })));
  }
  const PortCapacity& port = found->second;
  if (!port.link_up) {
    return refuse(
        absl::StrCat("port \"", port.name, "\" has no link; check the cable or the peer device"));
  }
  if (port.Budget() == 0) {
    return refuse(absl::StrCat("the link rate of port \"", port.name,
                               "\" is unknown; the operator must set port.budget_bps"));
  }
  attempt->Note({.stage = "capacity",
                 .rule = kPortRule,
                 .field = "port",
                 .value = {.text = attempt->grant.trace.Keep(port.name)}});
  return &port;
}

bool Admission::CheckConcurrency(Attempt* attempt) const {
  const uint32_t sessions = ledger_->SessionsLocked();
  const Step all{.stage = "capacity",
                 .rule = kMaxSessionsRule,
                 .value = {"{n} running", sessions},
                 .limit = {"< {n}", options_.max_sessions},
                 .shared = true};
  if (sessions >= options_.max_sessions) {
    return Refuse(attempt, all,
                  absl::StrCat("all ", options_.max_sessions, " sessions are in use; try later"));
  }
  attempt->Note(all);
  for (size_t layer = 0; layer < attempt->rules.size(); ++layer) {
    const policy::v1::AdmissionRule& rule = *attempt->rules[layer];
    const uint32_t concurrent = rule.limit().concurrent_sessions();
    if (concurrent == 0) continue;
    const uint32_t running = ledger_->RuleSessionsLocked(ConcurrencyKey(layer, rule));
    const Step step{.stage = "limit",
                    .rule = rule.name(),
                    .field = "concurrent_sessions",
                    .value = {"{n} running", running},
                    .limit = {"< {n}", concurrent},
                    .shared = true,
                    .profile = attempt->Profile(layer)};
    if (running >= concurrent) {
      return Refuse(
          attempt, step,
          absl::StrCat("all ", concurrent, " sessions this rule allows are in use; try later"));
    }
    attempt->Note(step);
  }
  return true;
}

bool Admission::ReserveDirection(Attempt* attempt, const PortCapacity& port,
                                 const Ledger::Usage& usage, size_t index,
                                 Ledger::Claim* claim) const {
  auto& granted = attempt->grant.directions[index];
  TestParameters& parameters = *granted.mutable_parameters();
  const TestParameters& asked = attempt->request.directions[index].parameters();
  const auto step = [&](const char* stage, std::string_view rule, const char* field,
                        const Phrase& value, const Phrase& limit) {
    return Step{.stage = stage,
                .rule = rule,
                .field = field,
                .within = ParametersOf(granted.direction()),
                .value = value,
                .limit = limit};
  };

  const uint32_t largest = LargestIpPacket(asked);
  const Step mtu = step("capacity", kMtuRule, "payload.udp_payload_bytes",
                        {"IP packets of {n} bytes", largest}, {"<= {n}", port.mtu});
  if (largest > port.mtu) {
    const uint32_t headers = asked.ip_version() == 4 ? 28 : 48;
    return Refuse(attempt, mtu,
                  absl::StrCat("an IP packet of ", largest, " bytes is larger than the MTU ",
                               port.mtu, " of port \"", port.name, "\"; ask for at most ",
                               port.mtu > headers ? port.mtu - headers : 0, " bytes"));
  }
  attempt->Note(mtu);
  if (asked.rate_bps() > port.Ceiling()) {
    return Refuse(attempt,
                  step("capacity", kLinkRateRule, "rate_bps", {"{rate}", asked.rate_bps()},
                       {"<= {rate}", port.Ceiling()}),
                  absl::StrCat(RateText(asked.rate_bps()), " is above what port \"", port.name,
                               "\" carries; ask for at most ", RateText(port.Budget())));
  }

  uint64_t rate = parameters.rate_bps() != 0 ? parameters.rate_bps() : port.Budget();
  const double mean = MeanIpPacket(asked);
  const double least = mean * 8 * asked.streams();
  // A budget above the link's nominal rate says the nominal rate means nothing (memif, tap).
  if (port.link_bps >= port.Budget()) {
    const auto wire =
        static_cast<uint64_t>(static_cast<double>(port.link_bps) * mean / (mean + kWireOverhead));
    Step carried =
        step("capacity", kLinkRateRule, "rate_bps", {"{rate}", rate}, {"<= {rate}", wire});
    if (rate > wire) {
      rate = wire;
      carried.verdict = policy::v1::REDUCED;
      if (!parameters.rate_max()) AddReason(&attempt->grant.reduced_by, kLinkRateRule);
    }
    attempt->Note(carried);
  }
  const size_t side = static_cast<size_t>(Side(attempt->request.role, granted.direction()));
  const uint64_t used = usage.bps[side];
  for (size_t layer = 0; layer < attempt->rules.size(); ++layer) {
    const policy::v1::AdmissionRule& rule = *attempt->rules[layer];
    const uint32_t percent = rule.priority().link_percent();
    if (percent == 0 || percent == 100) continue;
    const uint64_t share = port.Budget() / 100 * percent;
    const uint64_t left = share > used ? share - used : 0;
    Step priority =
        step("priority", rule.name(), "rate_bps", {"{rate}, with {rate} in use", rate, used},
             {"{n} % of the link: {rate}", percent, share});
    priority.shared = true;
    priority.profile = attempt->Profile(layer);
    if (rate > left) {
      rate = left;
      priority.verdict = policy::v1::REDUCED;
      AddReason(&attempt->grant.reduced_by, rule.name());
    }
    if (static_cast<double>(rate) < least) {
      return Refuse(
          attempt, priority,
          absl::StrCat("sessions of this rule may use ", percent, " % of port \"", port.name,
                       "\", and that is taken; the rest is kept for "
                       "others: try later"));
    }
    attempt->Note(priority);
  }
  const bool egress = side == static_cast<size_t>(LinkSide::kTransmit);
  if (!ApplyCaps(attempt, granted, egress, least, &rate)) return false;
  const uint64_t left = port.Budget() > used ? port.Budget() - used : 0;
  Step budget = step("capacity", kLinkBudgetRule, "rate_bps",
                     {"{rate}, with {rate} in use", rate, used}, {"<= {rate}", port.Budget()});
  budget.shared = true;
  if (rate > left) {
    rate = left;
    budget.verdict = policy::v1::REDUCED;
    AddReason(&attempt->grant.reduced_by, kLinkBudgetRule);
  }
  if (static_cast<double>(rate) < least) {
    return Refuse(attempt, budget,
                  absl::StrCat("the ", usage.sessions, " sessions on port \"", port.name, "\" use ",
                               RateText(used), " of its budget of ", RateText(port.Budget()),
                               "; try when they have ended"));
  }
  attempt->Note(budget);
  for (RateCap& cap : attempt->caps) {
    if (egress || !cap.egress_only) cap.left_bps -= rate;
  }
  parameters.set_rate_bps(rate);
  claim->bps[side] += rate;
  return true;
}

void Admission::NoteUnjudged(Attempt* attempt) const {
  for (size_t layer = 0; layer < attempt->rules.size(); ++layer) {
    const policy::v1::AdmissionRule& rule = *attempt->rules[layer];
    const auto note = [&](std::string_view within, const char* field, const Phrase& limit) {
      attempt->Note({.stage = "limit",
                     .rule = rule.name(),
                     .field = field,
                     .within = within,
                     .limit = limit,
                     .verdict = policy::v1::NOT_JUDGED,
                     .profile = attempt->Profile(layer)});
    };
    if (const uint32_t concurrent = rule.limit().concurrent_sessions(); concurrent != 0) {
      note("", "concurrent_sessions", {"< {n}", concurrent});
    }
    for (const policy::v1::Quota& quota : rule.quota()) {
      for (const auto& [field, limit] : QuotaLimits(quota)) note(QuotaPrefix(quota), field, limit);
    }
    for (const policy::v1::Class* at : attempt->policy->layers()[layer]->ClassesOf(rule)) {
      const std::string_view within = attempt->grant.trace.Keep(ClassPrefix(*at));
      for (const auto& [field, limit] : QuotaLimits(at->quota())) note(within, field, limit);
    }
  }
  attempt->Note({.stage = "capacity",
                 .rule = kLinkBudgetRule,
                 .field = "link",
                 .verdict = policy::v1::NOT_JUDGED});
}

// Judged and taken under one lock, so that two requests cannot both have the last of the link.
bool Admission::Reserve(Attempt* attempt) const {
  const AdmissionRequest& request = attempt->request;
  if (request.explain && request.without_link) {
    NoteUnjudged(attempt);
    return true;
  }
  if (request.draining) {
    return Refuse(attempt, {"capacity", kDrainingRule},
                  "this server is shutting down; try another, or later");
  }
  const PortCapacity* port = FindPort(attempt);
  if (port == nullptr) return false;

  const auto lock = ledger_->Lock();
  if (!CheckConcurrency(attempt) || !CheckQuotas(attempt, *port)) return false;
  Ledger::Claim claim{.port = port->name};
  for (size_t layer = 0; layer < attempt->rules.size(); ++layer) {
    claim.rules.push_back(ConcurrencyKey(layer, *attempt->rules[layer]));
  }
  const Ledger::Usage usage = ledger_->PortUsageLocked(port->name);
  for (size_t i = 0; i < attempt->grant.directions.size(); ++i) {
    if (!ReserveDirection(attempt, *port, usage, i, &claim)) return false;
  }
  if (!CheckBytes(attempt)) return false;
  if (request.store_full) {
    return Refuse(attempt, {"store", kStoreFullRule},
                  "the store of results is full, so a test could not be recorded; try later, or "
                  "tell the operator");
  }
  attempt->Note({.stage = "store", .rule = kStoreFullRule});
  if (request.explain) return true;
  ClaimQuotas(attempt, &claim);
  attempt->grant.charges = claim.charges;
  if (!ledger_->AddLocked(claim)) {
    return Refuse(attempt, {"capacity", kTrackedUseRule},
                  "this server keeps track of as many networks as it can, so that no more can be "
                  "admitted fairly; try tomorrow, or tell the operator");
  }
  attempt->grant.reservation = Reservation(ledger_, std::move(claim));
  return true;
}

}  // namespace weir::control
