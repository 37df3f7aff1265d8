// The metrics listener: /metrics and /health.
#ifndef WEIR_CONTROL_METRICS_HTTP_SERVER_H_
#define WEIR_CONTROL_METRICS_HTTP_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace prometheus {
class Registry;
}

namespace weir::control {

// GET /metrics: the registry in Prometheus text format. GET /health: 200 {"status":"ok"} or 503
// {"status":"unhealthy","reason":"..."}. Anything else: 404.
class HttpServer {
 public:
  // `health` is called from the server's threads; a status that is not OK is the reason given.
  using Health = std::function<absl::Status()>;

  // `listen` as in the configuration ("127.0.0.1:9990"; port 0: the kernel chooses). Unavailable
  // when it cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const std::string& listen, std::shared_ptr<prometheus::Registry> registry, Health health);
  ~HttpServer();

  uint16_t port() const { return port_; }

 private:
  HttpServer() = default;

  struct State;
  std::unique_ptr<State> state_;
  uint16_t port_ = 0;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_METRICS_HTTP_SERVER_H_
