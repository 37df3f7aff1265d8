#include "control/metrics/metrics.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/metrics/http_server.h"

namespace weir::control {
namespace {

std::string Text(const Metrics& metrics) {
  return prometheus::TextSerializer().Serialize(metrics.registry()->Collect());
}

bool HasLine(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(MetricsTest, CountsTests) {
  Metrics metrics("0.1.0");
  EXPECT_TRUE(
      HasLine(Text(metrics), "weir_tests_total{direction=\"down\",status=\"completed\"} 0"));
  metrics.CountTest(record::v1::DOWN, record::v1::COMPLETED);
  metrics.CountTest(record::v1::DOWN, record::v1::COMPLETED);
  metrics.CountTest(record::v1::UP, record::v1::ABORTED);
  metrics.CountRejection("capacity", "link_budget");
  const std::string text = Text(metrics);
  EXPECT_TRUE(HasLine(text, "weir_tests_total{direction=\"down\",status=\"completed\"} 2")) << text;
  EXPECT_TRUE(HasLine(text, "weir_tests_total{direction=\"up\",status=\"aborted\"} 1"));
  EXPECT_TRUE(HasLine(text, "weir_rejections_total{rule=\"link_budget\",stage=\"capacity\"} 1") ||
              HasLine(text, "weir_rejections_total{stage=\"capacity\",rule=\"link_budget\"} 1"))
      << text;
  EXPECT_TRUE(HasLine(text, "weir_build_info{version=\"0.1.0\"} 1"));
}

TEST(MetricsTest, AddsResults) {
  Metrics metrics("v");
  record::v1::DirectionResult result;
  result.set_direction(record::v1::UP);
  result.set_sent(100);
  result.set_lost(3);
  metrics.CountResult(result);
  metrics.CountResult(result);
  metrics.CountLimit(record::v1::LIMIT_SENDER_CPU);
  const std::string text = Text(metrics);
  EXPECT_TRUE(HasLine(text, "weir_test_packets_sent_total{direction=\"up\"} 200")) << text;
  EXPECT_TRUE(HasLine(text, "weir_test_packets_lost_total{direction=\"up\"} 6"));
  EXPECT_TRUE(HasLine(text, "weir_test_limits_total{limit=\"sender_cpu\"} 1"));
}

TEST(MetricsTest, PortCountersSurviveADataplaneRestart) {
  Metrics metrics("v");
  metrics.SetPort("p0", {.rx_packets = 10, .link_up = true});
  metrics.SetPort("p0", {.rx_packets = 15, .link_up = true});
  metrics.SetPort("p0", {.rx_packets = 4, .link_up = false});  // Began anew.
  const std::string text = Text(metrics);
  EXPECT_TRUE(HasLine(text, "weir_port_rx_packets_total{port=\"p0\"} 19")) << text;
  EXPECT_TRUE(HasLine(text, "weir_port_link_up{port=\"p0\"} 0"));
}

TEST(MetricsTest, EveryMetricHasHelp) {
  Metrics metrics("v");
  metrics.SetPort("p0", {});
  metrics.SetWorkerBusy(0, 0.5);
  for (const auto& family : metrics.registry()->Collect()) {
    EXPECT_FALSE(family.help.empty()) << family.name;
    EXPECT_EQ(family.name.rfind("weir_", 0), 0u) << family.name;
  }
}

std::string Get(uint16_t port, const std::string& request) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string reply;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
      send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    char buffer[4096];
    for (ssize_t n; (n = recv(fd, buffer, sizeof(buffer), 0)) > 0;) {
      reply.append(buffer, static_cast<size_t>(n));
    }
  }
  close(fd);
  return reply;
}

std::string GetPath(uint16_t port, const std::string& path) {
  return Get(port, "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

TEST(HttpServerTest, ServesMetricsAndHealth) {
  Metrics metrics("v");
  absl::Status health = absl::OkStatus();
  auto server = HttpServer::Start("127.0.0.1:0", metrics.registry(), [&] { return health; });
  ASSERT_TRUE(server.ok()) << server.status();
  const uint16_t port = (*server)->port();
  EXPECT_NE(GetPath(port, "/metrics").find("weir_tests_total"), std::string::npos);
  std::string reply = GetPath(port, "/health");
  EXPECT_EQ(reply.rfind("HTTP/1.1 200", 0), 0u) << reply;
  EXPECT_NE(reply.find("{\"status\":\"ok\"}"), std::string::npos) << reply;
  health = absl::UnavailableError("the dataplane is \"gone\"");
  reply = GetPath(port, "/health");
  EXPECT_EQ(reply.rfind("HTTP/1.1 503", 0), 0u) << reply;
  EXPECT_NE(reply.find("the dataplane is \\\"gone\\\""), std::string::npos) << reply;
  EXPECT_EQ(GetPath(port, "/etc/passwd").rfind("HTTP/1.1 404", 0), 0u);
  EXPECT_EQ(
      Get(port, "POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n").rfind("HTTP/1.1 405", 0),
      0u);
  Get(port, std::string("\0\xff garbage\r\n\r\n", 15));
  EXPECT_EQ(GetPath(port, "/health").rfind("HTTP/1.1 503", 0), 0u) << "still serving";
}

TEST(HttpServerTest, AddressInUseIsAnError) {
  Metrics metrics("v");
  const auto health = [] { return absl::OkStatus(); };
  auto first = HttpServer::Start("127.0.0.1:0", metrics.registry(), health);
  ASSERT_TRUE(first.ok());
  const std::string taken = "127.0.0.1:" + std::to_string((*first)->port());
  const auto second = HttpServer::Start(taken, metrics.registry(), health);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("metrics.listen: cannot listen on " + taken),
            std::string::npos)
      << second.status();
}

}  // namespace
}  // namespace weir::control
