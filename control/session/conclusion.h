// How a session ends in the store: one record a direction, or the reason why there is none.
#ifndef WEIR_CONTROL_SESSION_CONCLUSION_H_
#define WEIR_CONTROL_SESSION_CONCLUSION_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "control/admission/policy.h"
#include "control/session/node.h"
#include "control/session/session.h"
#include "control/session/unusual_activity.h"
#include "control/store/store.h"
#include "dataplane/v1/dataplane.pb.h"
#include "measurement/v1/measurement.pb.h"
#include "record/v1/record.pb.h"

namespace weir::control {

// What is known of a session once it is admitted. The store keeps all of it, so that a session
// can be concluded by a process that did not begin it.
struct SessionFacts {
  Uuid id;
  SessionRole role = SessionRole::kServer;
  uint64_t negotiated_unix_ns = 0;
  int64_t negotiated_steady_ns = 0;  // By a clock that never jumps; 0: by another process.
  std::string experiment;
  std::string purpose;
  google::protobuf::RepeatedPtrField<record::v1::Metadata> metadata;
  std::string client_address;  // Full; the export policy decides what is kept.
  std::string admission_rule;
  std::string policy_digest;
  // Admitted under, and so exported under: the terms the client accepted. Null for a session that
  // another process began; the policy in force then judges its records.
  std::shared_ptr<const Policy> policy;
  record::v1::ServerIdentity server;
  std::vector<measurement::v1::DirectionRequest> requested;
  std::vector<measurement::v1::DirectionRequest> granted;  // In the same order.
  std::vector<std::string> flows;                          // Keys of its 5-tuples: FlowLookup.
};

SessionRow ToRow(const SessionFacts& facts);
// DataLoss: the row does not hold what ToRow puts there.
absl::StatusOr<SessionFacts> FromRow(const SessionRow& row);

// "<session_id>-down" or "-up".
std::string RecordId(const Uuid& session, record::v1::Direction direction);

struct Conclusion {
  SessionState state = SessionState::kAborted;
  measurement::v1::Completed completed;
  uint64_t moved_bytes = 0;  // Of all directions, for the quotas.
};

// What is to be stored of a session, and what its client is told.
struct Ending {
  SessionEnd end;
  Conclusion conclusion;
};

// Approves one record for each granted direction, and counts them. `results` and `flows`: of the
// directions in order. `flows` are those whose counters the results are of, as the dataplane told
// of them; none at all if no dataplane was read.
Ending Judge(const Node& node, const SessionFacts& facts, record::v1::Outcome outcome,
             const std::string& end_reason, std::vector<record::v1::DirectionResult> results,
             const std::vector<std::vector<dataplane::v1::FlowInfo>>& flows);

// In a commit together. What the store cannot write now it keeps, and the log says so.
void StoreEnds(const Node& node, std::span<const SessionEnd> ends);

// Both, for one session.
Conclusion Conclude(const Node& node, const SessionFacts& facts, record::v1::Outcome outcome,
                    const std::string& end_reason, std::vector<record::v1::DirectionResult> results,
                    const std::vector<std::vector<dataplane::v1::FlowInfo>>& flows);

// The session was stopped for that.
void ReportUnusual(const Node& node, const SessionFacts& facts, const Unusual& unusual);

// The address as the policy lets it be kept: in full, its netblock, or nothing.
std::string AddressAsKept(const Policy& policy, const SessionFacts& facts);

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_CONCLUSION_H_
