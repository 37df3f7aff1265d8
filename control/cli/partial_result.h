// What is left of a test that was interrupted.
#ifndef WEIR_CONTROL_CLI_PARTIAL_RESULT_H_
#define WEIR_CONTROL_CLI_PARTIAL_RESULT_H_

#include <map>
#include <string>

#include "control/cli/admin_client.h"
#include "measurement/v1/admin.pb.h"

namespace weir::cli {

// Collects intervals while a test runs.
class PartialResult {
 public:
  void Add(const measurement::v1::TestProgress& progress);
  void SetGrant(const measurement::v1::Grant& grant) { grant_ = grant; }
  bool granted() const { return !grant_.session_id().empty(); }

  // An ABORTED result: from this node's stored records if they come within two seconds, else
  // from the intervals seen.
  measurement::v1::TestResult Finish(AdminStub* admin, const std::string& end_reason) const;

 private:
  measurement::v1::Grant grant_;
  std::map<record::v1::Direction, std::map<uint32_t, record::v1::Interval>> intervals_;
};

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_PARTIAL_RESULT_H_
