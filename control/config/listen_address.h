// "192.0.2.1:4040", "[2001:db8::1]:4040", "localhost": where a listener binds.
#ifndef WEIR_CONTROL_CONFIG_LISTEN_ADDRESS_H_
#define WEIR_CONTROL_CONFIG_LISTEN_ADDRESS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace weir::control {

struct ListenAddress {
  std::string host;  // An IP literal without brackets, or "localhost".
  uint16_t port = 0;

  bool IsLoopback() const;       // 127.0.0.0/8, ::1 or localhost.
  std::string ToString() const;  // IPv6 in brackets.
};

// `default_port` where the text names none. Port 0 (the kernel chooses) is allowed when written.
// Host names other than localhost are refused: a listener must not depend on a resolver.
absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text, uint16_t default_port);

}  // namespace weir::control

#endif  // WEIR_CONTROL_CONFIG_LISTEN_ADDRESS_H_
