#include "control/admission/admission.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

#include "absl/time/clock.h"
#include "control/admission/attempt.h"
#include "control/admission/request_form.h"
#include "wire/test_packet.h"

namespace weir::control {
namespace {

// What the most generous ALLOW rule of a layer grants; 0: one of them has no such limit.
struct WidestLimit {
  uint64_t rate_bps = 0, duration_ms = 0;
  uint32_t streams = 0, least = 0, most = 0;
};

WidestLimit Widest(const policy::v1::Policy& policy) {
  WidestLimit widest;
  bool first = true;
  const auto widen = [&](auto* value, auto limit) {
    *value = first ? limit : (*value == 0 || limit == 0) ? 0 : std::max(*value, limit);
  };
  for (const policy::v1::AdmissionRule& rule : policy.admission()) {
    if (rule.effect() != policy::v1::ALLOW) continue;
    const policy::v1::Limit& limit = rule.limit();
    widen(&widest.rate_bps, uint64_t{limit.rate_bps()});
    widen(&widest.duration_ms, uint64_t{limit.duration_ms()});
    widen(&widest.streams, uint32_t{limit.streams()});
    widen(&widest.most, uint32_t{limit.max_udp_payload_bytes()});
    widest.least = first ? limit.min_udp_payload_bytes()
                         : std::min(widest.least, limit.min_udp_payload_bytes());
    first = false;
  }
  return widest;
}

}  // namespace

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

measurement::v1::Rejection Admission::Sign(const policy::v1::TraceStep& refused,
                                           std::string message) const {
  measurement::v1::Rejection rejection;
  rejection.set_stage(refused.stage());
  rejection.set_rule(refused.rule());
  rejection.set_field(refused.field());
  rejection.set_message(std::move(message));
  rejection.set_operator_(options_.operator_name);
  rejection.set_contact(options_.contact);
  return rejection;
}

measurement::v1::Rejection Admission::Reject(std::string stage, std::string rule, std::string field,
                                             std::string message, policy::v1::Trace passed) const {
  if (passed.policy_digest().empty()) passed.set_policy_digest(policy()->digest());
  policy::v1::TraceStep& refused = *passed.add_steps();
  refused.set_stage(std::move(stage));
  refused.set_rule(std::move(rule));
  refused.set_field(std::move(field));
  refused.set_verdict(policy::v1::REFUSED);
  measurement::v1::Rejection rejection = Sign(refused, std::move(message));
  *rejection.mutable_trace() = std::move(passed);
  return rejection;
}

bool Admission::Refuse(Attempt* attempt, const Step& step, const std::string& message) const {
  policy::v1::Trace trace = attempt->grant.trace.ToProto();
  policy::v1::TraceStep& refused = *trace.add_steps();
  step.Write(&refused);
  refused.set_verdict(policy::v1::REFUSED);
  attempt->rejection = Sign(refused, message);
  *attempt->rejection.mutable_trace() = std::move(trace);
  return false;
}

AdmissionDecision Admission::Decide(const AdmissionRequest& request) {
  Attempt attempt{.request = request};
  {
    const std::lock_guard lock(mutex_);
    attempt.policy = policy_;
    attempt.ports = ports_;
  }
  attempt.grant.trace = DecisionTrace(attempt.policy);
  bool admitted = false;
  if (request.role == NodeRole::kServer) {
    admitted = Identify(&attempt) && Classify(&attempt);
    if (admitted) MatchRules(&attempt);
    admitted = admitted && Limit(&attempt) && Choose(&attempt) && Reserve(&attempt);
  } else {
    admitted = Classify(&attempt) && Limit(&attempt) && Reserve(&attempt);
  }
  if (!admitted) return std::move(attempt.rejection);
  attempt.grant.policy = std::move(attempt.policy);
  return std::move(attempt.grant);
}

std::optional<EgressMeter::Bucket> Admission::ObserveEgress(const std::string& port,
                                                            uint64_t tx_bytes) {
  const auto lock = ledger_->Lock();
  return ledger_->egress_locked(port).Observe(tx_bytes, options_.steady_ns());
}

void Admission::RestoreUse(const std::vector<PastUse>& uses) {
  const auto lock = ledger_->Lock();
  for (const PastUse& past : uses) {
    ObservedUse* use = ledger_->use_locked().Touch(past.key, past.day);
    if (use == nullptr) return;
    use->tests = past.tests;
    use->bytes = past.bytes;
    use->not_before_unix_s = past.not_before_unix_s;
  }
}

void Admission::ChargeBytes(const std::vector<UseKey>& keys, uint64_t bytes) {
  const auto day = static_cast<uint32_t>(options_.unix_ns() / 1'000'000'000 / 86'400);
  const auto lock = ledger_->Lock();
  for (const UseKey& key : keys) {
    if (ObservedUse* use = ledger_->use_locked().Touch(key, day)) use->bytes += bytes;
  }
}

void Admission::RestoreTokens(const std::vector<UsedToken>& tokens) {
  const int64_t now_s = options_.unix_ns() / 1'000'000'000;
  for (const UsedToken& token : tokens) used_tokens_.Use(token.key, token.expires_unix_s, now_s);
}

void Admission::RestoreEgress(const std::string& port,
                              const std::vector<EgressMeter::Bucket>& buckets,
                              std::optional<uint64_t> tx_bytes) {
  const auto lock = ledger_->Lock();
  EgressMeter& meter = ledger_->egress_locked(port);
  for (const EgressMeter::Bucket& bucket : buckets) meter.Restore(bucket, options_.steady_ns());
  if (tx_bytes) meter.Resume(*tx_bytes);
}

void Admission::SweepUse() {
  const int64_t now_s = options_.unix_ns() / 1'000'000'000;
  const auto lock = ledger_->Lock();
  ledger_->use_locked().Sweep(static_cast<uint32_t>(now_s / 86'400), static_cast<uint32_t>(now_s));
}

size_t Admission::TrackedUses() const {
  const auto lock = ledger_->Lock();
  return ledger_->use_locked().size();
}

int64_t SystemUnixNs() { return absl::GetCurrentTimeNanos(); }

int64_t SystemSteadyNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double RandomExponential() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return std::exponential_distribution<double>(1)(random);
}

measurement::v1::Limits Admission::Limits() const {
  std::shared_ptr<const Policy> policy;
  std::shared_ptr<const std::map<std::string, PortCapacity>> ports;
  {
    const std::lock_guard lock(mutex_);
    policy = policy_;
    ports = ports_;
  }
  // The widest of a layer's rules is what somebody may have under it, and all layers must allow
  // it. 0 is "no limit" and wider than any number.
  uint64_t rate = 0, duration_ms = 0;
  uint32_t streams = 0, least = 0, most = 0;
  const auto narrow = [](auto* narrowest, auto limit) {
    if (limit != 0 && (*narrowest == 0 || limit < *narrowest)) *narrowest = limit;
  };
  for (const auto& layer : policy->layers()) {
    const WidestLimit widest = Widest(layer->proto());
    narrow(&rate, widest.rate_bps);
    narrow(&duration_ms, widest.duration_ms);
    narrow(&streams, widest.streams);
    narrow(&most, widest.most);
    least = std::max(least, widest.least);
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
