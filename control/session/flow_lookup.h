// Which session a packet was of (proto/README.md section 2.7): the key it is kept under, and how
// often strangers may ask.
#ifndef WEIR_CONTROL_SESSION_FLOW_LOOKUP_H_
#define WEIR_CONTROL_SESSION_FLOW_LOOKUP_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/v1/dataplane.pb.h"
#include "measurement/v1/measurement.pb.h"

namespace weir::control {

// Thread-safe. The store holds a keyed hash of each flow's 5-tuple instead of its addresses; the
// key is in a file of its own, so that a copy of the store tells nobody who tested.
class FlowLookup {
 public:
  static constexpr size_t kSecretBytes = 32;
  static constexpr uint32_t kAsksAMinute = 20;  // Of one /24 or /64.
  static constexpr uint32_t kAsksAMinuteOfAll = 600;

  // Reads the file (mode 0600), or makes it with a new key. FailedPrecondition: it is no key.
  static absl::StatusOr<std::unique_ptr<FlowLookup>> Open(const std::string& file);
  explicit FlowLookup(std::string secret) : secret_(std::move(secret)) {}

  // 16 bytes, the same in both directions. Empty: an end is no address.
  std::string Key(const std::string& ip, uint32_t port, const std::string& peer_ip,
                  uint32_t peer_port) const;
  // Of each pair of ends.
  std::vector<std::string> Keys(const std::vector<measurement::v1::FlowEnd>& own,
                                const std::vector<measurement::v1::FlowEnd>& peer) const;
  // Of each flow as a dataplane tells of it. One without both ends has an empty key, which is no
  // flow's.
  std::vector<std::string> Keys(const std::vector<dataplane::v1::FlowInfo>& flows) const;
  // InvalidArgument names the field.
  absl::StatusOr<std::string> KeyOf(const measurement::v1::LookupRequest& packet) const;

  // Counts one question. PermissionDenied: too many, from there or from everywhere.
  absl::Status CountAsk(const std::string& asker_ip, int64_t now_unix_ns);

 private:
  const std::string secret_;
  std::mutex mutex_;  // Guards the rest.
  int64_t minute_ = 0;
  uint32_t asked_ = 0;
  std::map<std::string, uint32_t> asked_from_;  // By prefix; no larger than asked_.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_FLOW_LOOKUP_H_
