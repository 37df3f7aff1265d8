#include <gtest/gtest.h>

#include "control/api/grpc_remote.h"

namespace weir::control {
namespace {

TEST(ParseRemoteAddress, CompletesThePort) {
  EXPECT_EQ(ParseRemoteAddress("weir.example.net")->target, "weir.example.net:4040");
  EXPECT_EQ(ParseRemoteAddress("192.0.2.1:99")->target, "192.0.2.1:99");
  EXPECT_EQ(ParseRemoteAddress("[2001:db8::1]")->target, "[2001:db8::1]:4040");
  EXPECT_EQ(ParseRemoteAddress("2001:db8::1")->target, "[2001:db8::1]:4040");
  EXPECT_EQ(ParseRemoteAddress("[::1]:5")->host, "::1");
}

TEST(ParseRemoteAddress, RefusesWhatIsNone) {
  for (const char* text : {"", ":4040", "host:", "host:0", "host:65536", "host:x", "[::1", "[::1]5",
                           "[::1]:", "unix:/tmp/x", "a b", "dns:///x", "http://x"}) {
    const auto address = ParseRemoteAddress(text);
    EXPECT_TRUE(absl::IsInvalidArgument(address.status())) << text;
    EXPECT_NE(address.status().message().find(text), absl::string_view::npos);
  }
}

TEST(ConnectRemote, RefusesPlaintextBeyondThisHost) {
  const ConnectRemote connect = MakeConnectRemote({});
  measurement::v1::RemoteServer remote;
  remote.set_plaintext(true);
  remote.set_address("192.0.2.1");
  EXPECT_TRUE(absl::IsInvalidArgument(connect(remote).status()));
  remote.set_address("localhost:1");
  EXPECT_TRUE(connect(remote).ok());
}

TEST(ConnectRemote, NamesACaFileThatIsNotThere) {
  measurement::v1::RemoteServer remote;
  remote.set_address("192.0.2.1");
  remote.set_ca_file("/nonexistent/ca.pem");
  const auto connected = MakeConnectRemote({})(remote);
  EXPECT_NE(connected.status().message().find("/nonexistent/ca.pem"), absl::string_view::npos);
}

}  // namespace
}  // namespace weir::control
