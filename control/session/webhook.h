// Posts JSON to a URL the operator named.
#ifndef WEIR_CONTROL_SESSION_WEBHOOK_H_
#define WEIR_CONTROL_SESSION_WEBHOOK_H_

#include <memory>
#include <string>

#include "control/session/work_queue.h"

namespace weir::control {

// Thread-safe. Each message is tried three times, on a thread of its own; a message nobody took is
// logged. Redirects are not followed: what is told goes where the operator said.
class Webhook {
 public:
  explicit Webhook(std::string url);  // Empty: nothing is posted.

  void Post(std::string json);

 private:
  const std::string url_;
  std::unique_ptr<WorkQueue> queue_;  // Null without a URL.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_WEBHOOK_H_
