// Tells the operator of unusual activity: log, metric, audit log, and a web hook if one is set.
#ifndef WEIR_CONTROL_SESSION_NOTICES_H_
#define WEIR_CONTROL_SESSION_NOTICES_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "control/metrics/metrics.h"
#include "control/session/unusual_activity.h"
#include "control/session/webhook.h"
#include "control/store/store.h"
#include "measurement/v1/notice.pb.h"
#include "record/v1/record.pb.h"

namespace weir::control {

// Thread-safe.
class Notices {
 public:
  // `webhook`: an http or https URL, or empty.
  Notices(record::v1::ServerIdentity server, Store* store, Metrics* metrics,
          const std::string& webhook);

  struct Subject {
    std::string port = {};
    std::vector<std::string> session_ids = {};
    std::string action = {};  // What was done about it.
  };
  void Raise(const Unusual& unusual, const Subject& subject);

  // Newest first, those of earlier processes too. `limit` 0 is 100; at most 1000.
  absl::StatusOr<std::vector<measurement::v1::Notice>> List(uint32_t limit) const;

 private:
  const record::v1::ServerIdentity server_;
  Store* const store_;
  Metrics* const metrics_;
  Webhook webhook_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_NOTICES_H_
