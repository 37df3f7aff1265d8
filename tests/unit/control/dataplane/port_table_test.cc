#include <gtest/gtest.h>

#include "control/dataplane/dataplane.h"

namespace weir::control {
namespace {

dataplane::v1::PortInfo Port(const std::string& name, const std::string& ip4, uint32_t prefix,
                             const std::string& gateway, const std::string& ip6) {
  dataplane::v1::PortInfo port;
  port.set_name(name);
  port.set_ip4(IpToBytes(ip4));
  port.set_prefix4(prefix);
  port.set_gateway4(IpToBytes(gateway));
  port.set_ip6(IpToBytes(ip6));
  port.set_prefix6(64);
  return port;
}

TEST(PortTable, PrefersThePortOfThePeersPrefixThenOneWithAGateway) {
  PortTable table;
  table.ports = {Port("bare", "192.0.2.1", 25, "", ""),
                 Port("routed", "198.51.100.1", 24, "198.51.100.254", ""),
                 Port("six", "", 0, "", "2001:db8::1")};
  EXPECT_EQ(table.For(4, "192.0.2.9")->name(), "bare");
  EXPECT_EQ(table.For(4, "192.0.2.129")->name(), "routed");
  EXPECT_EQ(table.For(4, "203.0.113.1")->name(), "routed");
  EXPECT_EQ(table.For(6, "2001:db8::9")->name(), "six");
  EXPECT_EQ(table.For(6, "")->name(), "six");
}

TEST(PortTable, HasNoPortForAFamilyWithoutAddresses) {
  PortTable table;
  table.ports = {Port("four", "192.0.2.1", 24, "", "")};
  EXPECT_EQ(table.For(6, "2001:db8::9"), nullptr);
  EXPECT_EQ(table.Find("five"), nullptr);
}

TEST(IpText, RoundTrips) {
  EXPECT_EQ(IpToText(IpToBytes("192.0.2.1")), "192.0.2.1");
  EXPECT_EQ(IpToText(IpToBytes("2001:db8::1")), "2001:db8::1");
  EXPECT_EQ(IpToBytes("nonsense"), "");
  EXPECT_EQ(IpToText("abc"), "");
}

}  // namespace
}  // namespace weir::control
