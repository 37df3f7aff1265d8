#include "dataplane/port/ip_address.h"

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

IpAddress Ip(const char* text) { return IpAddress::FromText(text); }

TEST(IpAddress, ReadsAndWrites) {
  EXPECT_EQ(Ip("192.0.2.1").ToString(), "192.0.2.1");
  EXPECT_EQ(Ip("2001:DB8::1").ToString(), "2001:db8::1");
  EXPECT_FALSE(Ip("192.0.2"));
  EXPECT_FALSE(Ip(""));
  const uint8_t five[5] = {};
  EXPECT_FALSE(IpAddress::FromBytes(five));
}

TEST(IpAddress, MapsIpv4) {
  const Ip6Bytes mapped = Ip("192.0.2.1").mapped();
  EXPECT_EQ(IpAddress(mapped), Ip("::ffff:192.0.2.1"));
  EXPECT_EQ(IpAddress(Ip("2001:db8::1").mapped()), Ip("2001:db8::1"));
}

TEST(IpAddress, ComparesPrefixes) {
  EXPECT_TRUE(Ip("192.0.2.129").InPrefix(Ip("192.0.2.1"), 24));
  EXPECT_FALSE(Ip("192.0.2.129").InPrefix(Ip("192.0.2.1"), 25));
  EXPECT_TRUE(Ip("192.0.2.1").InPrefix(Ip("192.0.2.1"), 32));
  EXPECT_FALSE(Ip("192.0.2.0").InPrefix(Ip("192.0.2.1"), 32));
  EXPECT_TRUE(Ip("10.0.0.1").InPrefix(Ip("192.0.2.1"), 0));
  EXPECT_TRUE(Ip("2001:db8:0:0:8000::").InPrefix(Ip("2001:db8::1"), 64));
  EXPECT_FALSE(Ip("2001:db8:0:0:8000::").InPrefix(Ip("2001:db8::1"), 65));
  EXPECT_FALSE(Ip("2001:db8::1").InPrefix(Ip("192.0.2.1"), 0)) << "another family";
}

TEST(IpAddress, KnowsUnicast) {
  for (const char* text : {"192.0.2.1", "10.1.2.3", "2001:db8::1", "fe80::1", "::ffff:192.0.2.1"}) {
    EXPECT_TRUE(Ip(text).IsUnicast()) << text;
  }
  for (const char* text :
       {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1", ""}) {
    EXPECT_FALSE(Ip(text).IsUnicast()) << text;
  }
}

}  // namespace
}  // namespace weir::dataplane
