// Carries what quotas have seen across a restart.
#ifndef WEIR_CONTROL_SESSION_USE_KEEPER_H_
#define WEIR_CONTROL_SESSION_USE_KEEPER_H_

#include <absl/status/status.h>

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "control/admission/admission.h"
#include "control/store/store.h"
#include "record/v1/record.pb.h"

namespace weir::control {

// Sessions write their own use with the transactions that begin and end them; this restores it,
// and keeps what the ports sent. Not thread-safe.
class UseKeeper {
 public:
  UseKeeper(Admission* admission, Store* store) : admission_(admission), store_(store) {}

  // Before the first request is judged.
  absl::Status Restore();

  // A port's counter, about once a second. `boot_id`: of the dataplane that counts.
  void Observe(const std::string& port, const std::string& boot_id, uint64_t tx_bytes);

 private:
  Admission* const admission_;
  Store* const store_;
  std::vector<EgressRow> past_;  // Of ports that were not seen yet.
  std::set<std::string> seen_;
  std::chrono::steady_clock::time_point sweep_at_{};
};

std::vector<UseRow> ToUseRows(const std::vector<UseCharge>& charges);

// IP bytes a direction moved, by its receiver's or, on the sending side, its sender's counters.
uint64_t MovedBytes(const record::v1::DirectionResult& result,
                    const record::v1::TestParameters& granted);

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_USE_KEEPER_H_
