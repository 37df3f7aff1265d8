#include "control/metrics/http_server.h"

#include <civetweb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <cstring>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"

namespace weir::control {
namespace {

constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

int Reply(mg_connection* connection, int code, const char* type, const std::string& body) {
  mg_printf(
      connection,
      "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
      code, mg_get_response_code_text(connection, code), type, body.size());
  mg_write(connection, body.data(), body.size());
  return code;
}

std::string HealthJson(const absl::Status& status) {
  google::protobuf::Struct object;
  (*object.mutable_fields())["status"].set_string_value(status.ok() ? "ok" : "unhealthy");
  if (!status.ok()) {
    (*object.mutable_fields())["reason"].set_string_value(std::string(status.message()));
  }
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(object, &json).ok()) json = "{}";
  return json + "\n";
}

}  // namespace

struct HttpServer::State {
  std::shared_ptr<prometheus::Registry> registry;
  Health health;
  std::mutex mutex;
  std::string error;  // The library's own words for why it did not start.
  mg_context* context = nullptr;

  ~State() {
    if (context != nullptr) mg_stop(context);
  }

  static int OnMessage(const mg_connection* connection, const char* message) {
    auto* state = static_cast<State*>(mg_get_user_data(mg_get_context(connection)));
    const std::lock_guard lock(state->mutex);
    state->error = message;
    return 1;  // Handled: the library must not write a log file.
  }

  static int OnRequest(mg_connection* connection) {
    const mg_request_info* request = mg_get_request_info(connection);
    auto* state = static_cast<State*>(request->user_data);
    const std::string uri = request->local_uri;
    if (std::strcmp(request->request_method, "GET") != 0) {
      return Reply(connection, 405, "text/plain", "only GET\n");
    }
    if (uri == "/metrics") {
      return Reply(connection, 200, kMetricsType,
                   prometheus::TextSerializer().Serialize(state->registry->Collect()));
    }
    if (uri == "/health") {
      const absl::Status status = state->health();
      return Reply(connection, status.ok() ? 200 : 503, "application/json", HealthJson(status));
    }
    return Reply(connection, 404, "text/plain", "there are /metrics and /health\n");
  }
};

HttpServer::~HttpServer() = default;

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const std::string& listen, std::shared_ptr<prometheus::Registry> registry, Health health) {
  std::unique_ptr<HttpServer> server(new HttpServer);
  server->state_ = std::make_unique<State>();
  State& state = *server->state_;
  state.registry = std::move(registry);
  state.health = std::move(health);

  mg_callbacks callbacks = {};
  callbacks.begin_request = &State::OnRequest;
  callbacks.log_message = &State::OnMessage;
  const char* options[] = {
      "listening_ports",          listen.c_str(), "num_threads", "2", "request_timeout_ms", "5000",
      "enable_directory_listing", "no",           nullptr};
  state.context = mg_start(&callbacks, &state, options);
  if (state.context == nullptr) {
    const std::lock_guard lock(state.mutex);
    return absl::UnavailableError(absl::StrCat(
        "metrics.listen: cannot listen on ", listen, ": ",
        state.error.empty() ? "is the address in use, or not of this host?" : state.error));
  }
  mg_server_port port = {};
  if (mg_get_server_ports(state.context, 1, &port) == 1) {
    server->port_ = static_cast<uint16_t>(port.port);
  }
  return server;
}

}  // namespace weir::control
