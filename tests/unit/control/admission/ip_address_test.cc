#include "control/admission/ip_address.h"

#include <gtest/gtest.h>

namespace weir::control {
namespace {

TEST(IpAddressTest, ParsesAndPrints) {
  EXPECT_EQ(IpAddress::Parse("192.0.2.7")->ToString(), "192.0.2.7");
  EXPECT_EQ(IpAddress::Parse("2001:DB8:0:0::1")->ToString(), "2001:db8::1");
  for (const char* text : {"", "192.0.2", "192.0.2.256", "192.0.2.07", "1.2.3.4 ", "fe80::1%eth0",
                           "[::1]", "::1::", "example.net"}) {
    EXPECT_FALSE(IpAddress::Parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::Parse(std::string_view("1.2.3.4\0x", 9)));
}

TEST(IpAddressTest, MappedAddressIsTheIpv4Address) {
  const auto mapped = IpAddress::Parse("::ffff:192.0.2.7");
  EXPECT_EQ(mapped->version(), 4);
  EXPECT_EQ(*mapped, *IpAddress::Parse("192.0.2.7"));
}

TEST(IpAddressTest, KnowsSpecialAddresses) {
  EXPECT_TRUE(IpAddress::Parse("0.0.0.0")->IsUnspecified());
  EXPECT_TRUE(IpAddress::Parse("::")->IsUnspecified());
  for (const char* text : {"224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1"}) {
    EXPECT_TRUE(IpAddress::Parse(text)->IsMulticast()) << text;
  }
  for (const char* text : {"223.255.255.255", "240.0.0.1", "fe80::1"}) {
    EXPECT_FALSE(IpAddress::Parse(text)->IsMulticast()) << text;
  }
  EXPECT_TRUE(IpAddress::Parse("127.1.2.3")->IsLoopback());
  EXPECT_TRUE(IpAddress::Parse("::1")->IsLoopback());
  EXPECT_FALSE(IpAddress::Parse("1::1")->IsLoopback());
}

TEST(IpPrefixTest, ParsesAndContains) {
  const auto v4 = IpPrefix::Parse("192.0.2.128/25");
  ASSERT_TRUE(v4.ok());
  EXPECT_TRUE(v4->Contains(*IpAddress::Parse("192.0.2.128")));
  EXPECT_TRUE(v4->Contains(*IpAddress::Parse("192.0.2.255")));
  EXPECT_FALSE(v4->Contains(*IpAddress::Parse("192.0.2.127")));
  EXPECT_FALSE(v4->Contains(*IpAddress::Parse("::")));
  EXPECT_EQ(IpPrefix::Parse("::1")->length, 128);
  EXPECT_TRUE(IpPrefix::Parse("::/0")->Contains(*IpAddress::Parse("2001:db8::")));
  EXPECT_FALSE(IpPrefix::Parse("::/0")->Contains(*IpAddress::Parse("1.2.3.4")));
  EXPECT_TRUE(IpPrefix::Parse("10.0.0.0/8")->Covers(*IpPrefix::Parse("10.1.0.0/16")));
  EXPECT_FALSE(IpPrefix::Parse("10.1.0.0/16")->Covers(*IpPrefix::Parse("10.0.0.0/8")));
}

TEST(IpPrefixTest, RefusesWhatIsNotAPrefix) {
  for (const char* text : {"192.0.2.0/33", "2001:db8::/129", "192.0.2.0/", "192.0.2.0/-1",
                           "192.0.2.0/8x", "/8", "net/8"}) {
    EXPECT_FALSE(IpPrefix::Parse(text).ok()) << text;
  }
  const auto host_bits = IpPrefix::Parse("192.0.2.1/24");
  EXPECT_NE(host_bits.status().message().find("did you mean \"192.0.2.0/24\""), std::string::npos);
}

TEST(IpPrefixTest, NetblockIs24Or48) {
  EXPECT_EQ(Netblock(*IpAddress::Parse("192.0.2.7")).ToString(), "192.0.2.0/24");
  EXPECT_EQ(Netblock(*IpAddress::Parse("2001:db8:1:2:3::4")).ToString(), "2001:db8:1::/48");
}

}  // namespace
}  // namespace weir::control
