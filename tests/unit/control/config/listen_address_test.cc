#include "control/config/listen_address.h"

#include <gtest/gtest.h>

namespace weir::control {
namespace {

TEST(ListenAddressTest, AcceptsAddressesWithAndWithoutPort) {
  const struct {
    const char* text;
    const char* host;
    uint16_t port;
    const char* printed;
  } kCases[] = {
      {"192.0.2.1:80", "192.0.2.1", 80, "192.0.2.1:80"},
      {"192.0.2.1", "192.0.2.1", 4040, "192.0.2.1:4040"},
      {"[::]:4041", "::", 4041, "[::]:4041"},
      {"[2001:db8::1]", "2001:db8::1", 4040, "[2001:db8::1]:4040"},
      {"localhost:0", "localhost", 0, "localhost:0"},
  };
  for (const auto& c : kCases) {
    const auto address = ParseListenAddress(c.text, 4040);
    ASSERT_TRUE(address.ok()) << c.text << ": " << address.status();
    EXPECT_EQ(address->host, c.host);
    EXPECT_EQ(address->port, c.port);
    EXPECT_EQ(address->ToString(), c.printed);
  }
}

TEST(ListenAddressTest, RefusesEverythingElse) {
  for (const char* text : {"", ":4040", "example.net:4040", "::1", "::1:4040", "[::1", "[::1]4040",
                           "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1:4 ",
                           "[192.0.2.1]:1", "192.0.2.256", "192.0.2.1:0x10"}) {
    EXPECT_FALSE(ParseListenAddress(text, 4040).ok()) << text;
  }
}

TEST(ListenAddressTest, KnowsLoopback) {
  for (const char* text : {"127.0.0.1", "127.9.9.9", "[::1]", "localhost"}) {
    EXPECT_TRUE(ParseListenAddress(text, 1)->IsLoopback()) << text;
  }
  for (const char* text : {"0.0.0.0", "[::]", "128.0.0.1", "[::2]"}) {
    EXPECT_FALSE(ParseListenAddress(text, 1)->IsLoopback()) << text;
  }
}

}  // namespace
}  // namespace weir::control
