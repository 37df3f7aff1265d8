// Which session a packet was of (proto/README.md section 2.7): the key it is kept under.
#ifndef WEIR_CONTROL_SESSION_FLOW_LOOKUP_H_
#define WEIR_CONTROL_SESSION_FLOW_LOOKUP_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
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

 private:
  const std::string secret_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_FLOW_LOOKUP_H_
