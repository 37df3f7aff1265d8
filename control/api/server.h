// The node's gRPC listeners.
#ifndef WEIR_CONTROL_API_SERVER_H_
#define WEIR_CONTROL_API_SERVER_H_

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "config/v1/config.pb.h"
#include "control/api/served.h"

namespace weir::control {

// Serves from construction to destruction. What it is given must outlive it.
class ApiServer {
 public:
  // Whether Start could serve the public API as configured. InvalidArgument names the field.
  static absl::Status CheckTransport(const config::v1::Config& config, bool allow_plaintext);

  // InvalidArgument: TLS is not configured and plaintext not allowed, or not on loopback; a
  // certificate or key cannot be read. Unavailable: an address cannot be bound.
  static absl::StatusOr<std::unique_ptr<ApiServer>> Start(const config::v1::Config& config,
                                                          bool allow_plaintext,
                                                          const Served& served);
  ~ApiServer();

  int port() const { return port_; }  // Of the public API; 0: there is none.

  // Ends all calls.
  void Shutdown();

 private:
  ApiServer() = default;

  struct Services;
  std::unique_ptr<Services> services_;
  int port_ = 0;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_SERVER_H_
