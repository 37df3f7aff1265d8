// Decides what may be stored of a session, and in which form.
#ifndef WEIR_CONTROL_EXPORT_EXPORT_POLICY_H_
#define WEIR_CONTROL_EXPORT_EXPORT_POLICY_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "control/admission/policy.h"
#include "control/export/approved_record.h"
#include "policy/v1/trace.pb.h"
#include "record/v1/record.pb.h"

namespace weir::control {

// What admission established about the session a record claims to be of.
struct AdmittedSession {
  std::string session_id;
  std::string admission_rule;  // Of each layer: see JoinRules.
  std::string policy_digest;   // In force at admission.
  std::string experiment;
  std::string purpose;
  int64_t negotiated_unix_ns = 0;  // 0: not known, so not compared.
  int64_t ended_unix_ns = 0;       // Likewise.
  std::string client_address;      // Full, textual: the address that was proven.
  // Keys of the 5-tuples it was admitted with (FlowLookup).
  std::vector<std::string> flows = {};
};

// Where the numbers of a record come from.
struct Measured {
  // Keys of the 5-tuples whose counters a dataplane kept. Absent: no dataplane was read, the record
  // is made of what was stored under the session's id.
  std::optional<std::vector<std::string>> flows = std::nullopt;
  // Arrivals are stamped by this node's clock, which did not jump meanwhile; else they are not
  // comparable to the session's.
  bool own_clock = false;
};

// The address as `mode` lets it be kept; nullopt if it is to be kept and is none.
std::optional<record::v1::Address> KeepAddress(record::v1::AddressMode mode,
                                               const std::string& text);

// Stateless; thread-safe. Fails closed.
class ExportPolicy {
 public:
  explicit ExportPolicy(std::shared_ptr<const Policy> policy) : policy_(std::move(policy)) {}

  // Sets client (in the rule's address mode), experiment, purpose, admission_rule, policy_digest,
  // export_rule, release_class, legal_basis and license; whatever the caller put there is
  // overwritten. InvalidArgument: the record is not closed-schema, not of this session, its
  // 5-tuples or its time, passive, or incomplete. PermissionDenied: an export rule (or
  // default_deny) keeps it out. Both say at which stage, by which rule, and what to do. `trace`,
  // when given, receives each step; the last one is the one that decided.
  absl::StatusOr<ApprovedRecord> Approve(const AdmittedSession& session, record::v1::Record record,
                                         policy::v1::Trace* trace = nullptr,
                                         const Measured& measured = {}) const;

 private:
  std::shared_ptr<const Policy> policy_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_EXPORT_POLICY_H_
