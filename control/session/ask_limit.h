// How often strangers may ask what costs the node work.
#ifndef WEIR_CONTROL_SESSION_ASK_LIMIT_H_
#define WEIR_CONTROL_SESSION_ASK_LIMIT_H_

#include <absl/status/status.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace weir::control {

// So many questions in a minute of the clock. Thread-safe.
class AskLimit {
 public:
  struct Most {
    uint32_t of_network = 0;  // A /24 or /64.
    uint32_t of_all = 0;
  };

  // `what` they ask for, in the plural.
  AskLimit(std::string what, Most most) : what_(std::move(what)), most_(most) {}

  // Counts one question. PermissionDenied: too many, from there or from everywhere. An asker
  // without an IP address, as of a Unix socket, is of one network with all such.
  absl::Status Count(const std::string& asker_ip, int64_t now_unix_ns);

 private:
  const std::string what_;
  const Most most_;
  std::mutex mutex_;  // Guards the rest.
  int64_t minute_ = 0;
  uint32_t asked_ = 0;
  std::map<std::string, uint32_t> asked_from_;  // By network; no larger than asked_.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_ASK_LIMIT_H_
