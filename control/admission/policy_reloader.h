// Replaces the policy in force while sessions run.
#ifndef WEIR_CONTROL_ADMISSION_POLICY_RELOADER_H_
#define WEIR_CONTROL_ADMISSION_POLICY_RELOADER_H_

#include <mutex>
#include <string>
#include <vector>

#include "control/admission/admission.h"
#include "control/metrics/metrics.h"
#include "control/store/store.h"
#include "measurement/v1/admin.pb.h"

namespace weir::control {

// Admission and export rules are one immutable Policy, so that one store of a pointer switches
// both: no request is ever judged by half of an old and half of a new policy. Thread-safe.
class PolicyReloader {
 public:
  // `admission` already has the policy of `files`. All must outlive the reloader.
  PolicyReloader(std::vector<std::string> files, Admission* admission, Store* store,
                 Metrics* metrics);

  // Reads the files again. Whatever is wrong with one, the last good policy stays in force; reply,
  // log, metric and an audit row say what happened. `cause`: who asked, for the audit row.
  measurement::v1::ReloadPolicyReply Reload(const std::string& cause);

 private:
  const std::vector<std::string> files_;
  Admission* const admission_;
  Store* const store_;
  Metrics* const metrics_;
  std::mutex mutex_;  // One reload at a time: the last one to read is the last to apply.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_POLICY_RELOADER_H_
