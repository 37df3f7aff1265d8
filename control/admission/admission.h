// Whether a session may be, and how much of it.
#ifndef WEIR_CONTROL_ADMISSION_ADMISSION_H_
#define WEIR_CONTROL_ADMISSION_ADMISSION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/admission/access_token.h"
#include "control/admission/capacity.h"
#include "control/admission/decision_trace.h"
#include "control/admission/policy.h"
#include "measurement/v1/measurement.pb.h"
#include "policy/v1/trace.pb.h"
#include "record/v1/record.pb.h"

namespace weir::control {

enum class NodeRole {
  kServer,  // A peer asks this node: every stage applies.
  kClient,  // This node asks a peer: only its own capacity and store are judged.
};

struct AdmissionRequest {
  NodeRole role = NodeRole::kServer;
  // Of the test packets, textual: one entry per client end. Must all be one address.
  std::vector<std::string> peer_addresses;
  std::string identity = "anonymous";  // Or "certificate:<CN>", as verified by the TLS handshake.
  std::string access_token;            // Refused while no token issuer is configured.
  std::string experiment;
  std::string purpose;
  std::string accepted_notice_digest;
  google::protobuf::RepeatedPtrField<record::v1::Metadata> metadata;
  std::vector<measurement::v1::DirectionRequest> directions;
  std::string port;  // Dataplane port the session will use.
  bool store_full = false;
  bool draining = false;
  // For an explanation: the trace names every rule that was passed over, and nothing is reserved.
  bool explain = false;
  bool without_link = false;  // With `explain`: no link is known, so none is judged.
};

// A token that cannot be used again.
struct UsedToken {
  UseKey key{};
  int64_t expires_unix_s = 0;
};

struct AdmissionGrant {
  std::vector<measurement::v1::DirectionRequest> directions;  // As granted.
  std::string admission_rule;            // Of each layer of the policy: see JoinRules.
  std::vector<std::string> reduced_by;   // Rule names, or "link_budget".
  std::shared_ptr<const Policy> policy;  // In force at admission.
  std::vector<UseCharge> charges;        // For the store, so that quotas survive a restart.
  std::optional<UsedToken> token;        // For the store, so that it stays used.
  Reservation reservation;               // Keep it for the life of the session.
  DecisionTrace trace;                   // How it came to be.
};

using AdmissionDecision = std::variant<AdmissionGrant, measurement::v1::Rejection>;

int64_t SystemUnixNs();
int64_t SystemSteadyNs();
double RandomExponential();

// Judges requests in the stages identify, classify, limit, decide, priority, capacity, store, and
// notes each step in a trace; a rejection carries it with what clients must not see
// (WithoutSharedValues). Every layer of the policy must allow what is asked. A rate is
// reduced to the intersection of request, rule and link; all else beyond a limit is refused with
// stage, rule, field, the limit and the remedy. Fails closed: an unknown port admits nothing.
//
// A grant's `rate_max` stays set and `rate_bps` then is what is reserved for it: the hard cap.
// Thread-safe.
class Admission {
 public:
  struct Options {
    std::string operator_name;
    std::string contact;
    uint32_t max_sessions = 64;
    std::map<std::string, uint64_t> port_budgets = {};  // By port name, bit/s.
    const TokenVerifier* tokens = nullptr;              // Null: no token is taken.
    // For quotas: the time of day, a clock that never jumps, and numbers of the exponential
    // distribution with mean 1.
    std::function<int64_t()> unix_ns = &SystemUnixNs;
    std::function<int64_t()> steady_ns = &SystemSteadyNs;
    std::function<double()> exponential = &RandomExponential;
  };

  Admission(Options options, std::shared_ptr<const Policy> policy);

  // Ports as the dataplane reports them; budget_bps is filled from the options. Sessions that
  // run keep their reservations.
  void SetPorts(std::vector<PortCapacity> ports);
  void SetPolicy(std::shared_ptr<const Policy> policy);
  std::shared_ptr<const Policy> policy() const;

  AdmissionDecision Decide(const AdmissionRequest& request);

  // The port's cumulative counter of bytes sent, about once a second. Returns the 5 s that ended
  // with it, if anything was sent: for the store.
  std::optional<EgressMeter::Bucket> ObserveEgress(const std::string& port, uint64_t tx_bytes);
  // What the store has of an earlier process; before the first request.
  struct PastUse {
    UseKey key{};
    uint32_t day = 0, tests = 0, not_before_unix_s = 0;
    uint64_t bytes = 0;
  };
  void RestoreUse(const std::vector<PastUse>& uses);
  // What a session of an earlier process turned out to have moved.
  void ChargeBytes(const std::vector<UseKey>& keys, uint64_t bytes);
  void RestoreTokens(const std::vector<UsedToken>& tokens);
  // `tx_bytes`: the counter as last seen, if it is of the dataplane that still runs.
  void RestoreEgress(const std::string& port, const std::vector<EgressMeter::Bucket>& buckets,
                     std::optional<uint64_t> tx_bytes);
  // Forgets use that no longer matters; about once an hour.
  void SweepUse();
  size_t TrackedUses() const;

  // A rejection signed with operator and contact, for stages outside this class ("protocol"), and
  // for what fails after admission: then `passed` is the grant's trace, which the refusal ends.
  measurement::v1::Rejection Reject(std::string stage, std::string rule, std::string field,
                                    std::string message, policy::v1::Trace passed = {}) const;

  // What GetServerInfo tells: the widest of the ALLOW rules within the links. Any zero: no limit.
  measurement::v1::Limits Limits() const;

  uint32_t ActiveSessions() const { return ledger_->Sessions(); }
  Ledger::Usage PortUsage(const std::string& port) const { return ledger_->PortUsage(port); }

 private:
  struct QuotaUse;
  struct RateCap;
  struct Attempt;  // One request on its way through the stages.
  using Step = DecisionStep;

  bool Identify(Attempt* attempt) const;
  bool CheckToken(Attempt* attempt) const;
  void NoteWho(Attempt* attempt, size_t layer) const;
  bool Classify(Attempt* attempt) const;
  void MatchRules(Attempt* attempt) const;
  bool Limit(Attempt* attempt) const;
  bool LimitDirection(Attempt* attempt, size_t layer,
                      measurement::v1::DirectionRequest* granted) const;
  bool Choose(Attempt* attempt) const;
  bool Reserve(Attempt* attempt) const;
  bool ReserveDirection(Attempt* attempt, const PortCapacity& port, const Ledger::Usage& usage,
                        size_t index, Ledger::Claim* claim) const;
  bool CheckConcurrency(Attempt* attempt) const;
  bool CheckQuotas(Attempt* attempt, const PortCapacity& port) const;
  bool CheckQuota(Attempt* attempt, const QuotaUse& use) const;
  void AddCaps(Attempt* attempt, const QuotaUse& use, const PortCapacity& port) const;
  bool ApplyCaps(Attempt* attempt, const measurement::v1::DirectionRequest& granted, bool egress,
                 double least_bps, uint64_t* rate_bps) const;
  bool CheckBytes(Attempt* attempt) const;
  void ClaimQuotas(Attempt* attempt, Ledger::Claim* claim) const;
  Step QuotaStep(const Attempt& attempt, const QuotaUse& use, const char* field,
                 const Phrase& value, const Phrase& limit) const;
  // In an explanation: what depends on the node at the time.
  void NoteUnjudged(Attempt* attempt) const;
  const PortCapacity* FindPort(Attempt* attempt) const;
  // Ends the attempt: `step` is the one that decided.
  bool Refuse(Attempt* attempt, const Step& step, const std::string& message) const;
  measurement::v1::Rejection Sign(const policy::v1::TraceStep& refused, std::string message) const;

  const Options options_;
  const std::shared_ptr<Ledger> ledger_;
  mutable UsedTokens used_tokens_;
  mutable std::mutex mutex_;  // Guards the two below.
  std::shared_ptr<const Policy> policy_;
  std::shared_ptr<const std::map<std::string, PortCapacity>> ports_;
};

// Takes what counts other people's sessions out of a trace.
void WithoutSharedValues(policy::v1::Trace* trace);

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_ADMISSION_H_
