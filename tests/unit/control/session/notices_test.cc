#include "control/session/notices.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <future>
#include <string>

#include "ipc/seqpacket.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

using measurement::v1::Notice;

// An HTTP server on loopback: refuses as often as it is told to, then takes a message.
class Listener {
 public:
  explicit Listener(int refusals) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(fd_.get(), 4), 0);
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/notices";
    taken_ = std::async(std::launch::async, [this, refusals] {
      for (int i = 0; i < refusals; ++i) Answer("503 Service Unavailable");
      return Answer("204 No Content");
    });
  }
  const std::string& url() const { return url_; }
  std::string Taken() { return taken_.get(); }

 private:
  // The request.
  std::string Answer(const std::string& status) {
    const ipc::UniqueFd connection(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::string request;
    char bytes[4096];
    size_t whole = std::string::npos;
    while (request.size() < whole) {
      const ssize_t got = read(connection.get(), bytes, sizeof(bytes));
      if (got <= 0) break;
      request.append(bytes, static_cast<size_t>(got));
      const size_t head = request.find("\r\n\r\n");
      const size_t length = request.find("Content-Length: ");
      if (head != std::string::npos && length != std::string::npos) {
        whole = head + 4 + std::stoul(request.substr(length + 16));
      }
    }
    const std::string answer = "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n";
    EXPECT_EQ(write(connection.get(), answer.data(), answer.size()),
              static_cast<ssize_t>(answer.size()));
    return request;
  }

  ipc::UniqueFd fd_;
  std::string url_;
  std::future<std::string> taken_;
};

record::v1::ServerIdentity Identity() {
  record::v1::ServerIdentity identity;
  identity.set_node("node1");
  identity.set_operator_("o");
  identity.set_contact("c@example.org");
  return identity;
}

const Unusual kUnusual{.trigger = Notice::EGRESS_OVER_BUDGET,
                       .from_ns = 1'700'000'000'000'000'000,
                       .to_ns = 1'700'000'001'000'000'000,
                       .admitted_bps = 1e6,
                       .observed_bps = 2e6,
                       .observed_pps = 250};

TEST(Notices, AreKeptAndListedNewestFirst) {
  const TempDir dir;
  const auto store = Store::Open({.path = dir.File("weir.db")});
  ASSERT_TRUE(store.ok()) << store.status();
  Metrics metrics("test");
  {
    Notices notices(Identity(), store->get(), &metrics, "");
    notices.Raise(kUnusual, {.session_ids = {"s1"}, .action = "the session was stopped"});
    notices.Raise({.trigger = Notice::EGRESS_WITHOUT_SESSION}, {.port = "data", .action = "none"});
  }
  ASSERT_TRUE((*store)->Flush().ok());
  const Notices later(Identity(), store->get(), &metrics, "");  // After a restart.
  const auto listed = later.List(0);
  ASSERT_TRUE(listed.ok()) << listed.status();
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ((*listed)[0].trigger(), Notice::EGRESS_WITHOUT_SESSION);
  EXPECT_EQ((*listed)[0].port(), "data");
  const Notice& first = (*listed)[1];
  EXPECT_EQ(first.node(), "node1");
  EXPECT_EQ(first.contact(), "c@example.org");
  EXPECT_EQ(first.window_start(), "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(first.admitted_bps(), 1e6);
  EXPECT_EQ(first.observed_bps(), 2e6);
  EXPECT_EQ(first.session_ids(0), "s1");
  EXPECT_EQ(later.List(1)->size(), 1u);
}

TEST(Notices, ArePostedUntilTheyAreTaken) {
  const TempDir dir;
  const auto store = Store::Open({.path = dir.File("weir.db")});
  ASSERT_TRUE(store.ok()) << store.status();
  Metrics metrics("test");
  Listener listener(/*refusals=*/2);
  Notices notices(Identity(), store->get(), &metrics, listener.url());
  notices.Raise(kUnusual, {.session_ids = {"s1"}, .action = "the session was stopped"});
  const std::string request = listener.Taken();
  EXPECT_EQ(request.find("POST /notices HTTP/1.1\r\n"), 0u) << request;
  EXPECT_NE(request.find("Content-Type: application/json"), std::string::npos) << request;
  EXPECT_NE(request.find("\"trigger\":\"EGRESS_OVER_BUDGET\""), std::string::npos) << request;
  EXPECT_NE(request.find("\"session_ids\":[\"s1\"]"), std::string::npos) << request;
}

}  // namespace
}  // namespace weir::control
