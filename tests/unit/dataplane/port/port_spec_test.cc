#include "dataplane/port/port_spec.h"

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

TEST(PortSpec, ReadsEveryKey) {
  const auto spec = ParsePortSpec(
      "p0=af_packet:eth1,ip4=192.0.2.1/24,gw4=192.0.2.254,ip6=2001:db8::1/64,gw6=fe80::1,vlan=42,"
      "mtu=9000,mac=02:00:00:00:00:0a,bench=on");
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  const PortSpec& s = spec.value();
  EXPECT_EQ(s.name, "p0");
  EXPECT_EQ(s.device, "af_packet:eth1");
  EXPECT_EQ(s.kind, "af_packet");
  EXPECT_EQ(s.argument, "eth1");
  EXPECT_EQ(IpAddress(s.ip4->address).ToString(), "192.0.2.1");
  EXPECT_EQ(s.ip4->prefix, 24);
  EXPECT_EQ(IpAddress(*s.ip4->gateway).ToString(), "192.0.2.254");
  EXPECT_EQ(IpAddress(s.ip6->address).ToString(), "2001:db8::1");
  EXPECT_EQ(IpAddress(*s.ip6->gateway).ToString(), "fe80::1");
  EXPECT_EQ(s.vlan, 42);
  EXPECT_EQ(s.mtu, 9000);
  EXPECT_EQ((*s.mac)[5], 10);
  EXPECT_TRUE(s.bench);
  EXPECT_FALSE(ParsePortSpec("p0=null:").value().bench);
  EXPECT_FALSE(ParsePortSpec("p0=null:,bench=off").value().bench);
}

TEST(PortSpec, ReadsEveryDevice) {
  for (const char* device : {"pci:0000:3b:00.0", "af_xdp:eth1,queues=2-3", "tap:weir0",
                             "memif:/run/a.sock,role=client,id=3", "ring:", "null:",
                             "pcap:/tmp/a.pcap,rx=/tmp/b.pcap", "af_xdp:eth1,queues=0"}) {
    const auto spec = ParsePortSpec(std::string("p=") + device);
    EXPECT_TRUE(spec.ok()) << device << ": " << spec.error().message;
  }
  EXPECT_EQ(ParsePortSpec("p=pci:3b:00.0").value().argument, "0000:3b:00.0");
  const auto queues = ParsePortSpec("p=af_xdp:eth1,queues=2-3").value().queues;
  EXPECT_EQ(queues->first, 2);
  EXPECT_EQ(queues->count, 2);
}

struct BadSpec {
  const char* text;
  const char* field;
  const char* says;  // Part of the message.
};

class BadPortSpec : public ::testing::TestWithParam<BadSpec> {};

TEST_P(BadPortSpec, NamesFieldAndRule) {
  const auto spec = ParsePortSpec(GetParam().text);
  ASSERT_FALSE(spec.ok()) << GetParam().text;
  EXPECT_EQ(spec.error().field, GetParam().field);
  EXPECT_NE(spec.error().message.find(GetParam().says), std::string::npos) << spec.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    All, BadPortSpec,
    ::testing::Values(
        BadSpec{"p=null:,bench=yes", "--port p.bench", "on or off"},
        BadSpec{"", "--port", "NAME=DEVICE"}, BadSpec{"eth1", "--port", "NAME=DEVICE"},
        BadSpec{"=ring:", "--port", "1 to 32"}, BadSpec{"a b=ring:", "--port", "1 to 32"},
        BadSpec{"p=", "--port p", "unknown device"},
        BadSpec{"p=eth1", "--port p", "unknown device"},
        BadSpec{"p=dpdk:eth1", "--port p", "af_packet:IF"},
        BadSpec{"p=af_packet:", "--port p", "needs an interface"},
        BadSpec{"p=af_packet:a/b", "--port p", "name of an interface"},
        BadSpec{"p=af_packet:0123456789abcdef", "--port p", "name of an interface"},
        BadSpec{"p=pci:eth1", "--port p", "PCI address"},
        BadSpec{"p=pci:0000:3b:00", "--port p", "PCI address"},
        BadSpec{"p=memif:a.sock", "--port p", "absolute"},
        BadSpec{"p=ring:x", "--port p", "nothing behind the colon"},
        BadSpec{"p=ring:,ip4", "--port p", "key=value"},
        BadSpec{"p=ring:,=1", "--port p", "key=value"},
        BadSpec{"p=ring:,", "--port p", "key=value"},
        BadSpec{"p=ring:,speed=1", "--port p.speed", "takes ip4"},
        BadSpec{"p=ring:,queues=1", "--port p.queues", "unknown key"},
        BadSpec{"p=ring:,vlan=", "--port p.vlan", "no value"},
        BadSpec{"p=ring:,vlan=1,vlan=2", "--port p.vlan", "twice"},
        BadSpec{"p=ring:,vlan=0", "--port p.vlan", "1 to 4094"},
        BadSpec{"p=ring:,vlan=4095", "--port p.vlan", "1 to 4094"},
        BadSpec{"p=ring:,vlan=1x", "--port p.vlan", "1 to 4094"},
        BadSpec{"p=ring:,mtu=67", "--port p.mtu", "68 to"},
        BadSpec{"p=ring:,mtu=99999", "--port p.mtu", "68 to"},
        BadSpec{"p=ring:,mtu=1279,ip6=2001:db8::1/64", "--port p.mtu", "1280"},
        BadSpec{"p=ring:,ip4=192.0.2.1", "--port p.ip4", "prefix length"},
        BadSpec{"p=ring:,ip4=192.0.2.1/33", "--port p.ip4", "prefix length"},
        BadSpec{"p=ring:,ip4=192.0.2.256/24", "--port p.ip4", "prefix length"},
        BadSpec{"p=ring:,ip4=2001:db8::1/64", "--port p.ip4", "192.0.2.1/24"},
        BadSpec{"p=ring:,ip4=192.0.2.0/24", "--port p.ip4", "network's own"},
        BadSpec{"p=ring:,ip4=192.0.2.255/24", "--port p.ip4", "broadcast"},
        BadSpec{"p=ring:,ip4=224.0.0.1/24", "--port p.ip4", "unicast"},
        BadSpec{"p=ring:,ip4=127.0.0.1/8", "--port p.ip4", "unicast"},
        BadSpec{"p=ring:,ip6=192.0.2.1/24", "--port p.ip6", "2001:db8::1/64"},
        BadSpec{"p=ring:,ip6=::1/128", "--port p.ip6", "unicast"},
        BadSpec{"p=ring:,gw4=192.0.2.1", "--port p.gw4", "needs ip4"},
        BadSpec{"p=ring:,ip4=192.0.2.1/24,gw4=192.0.3.1", "--port p.gw4", "not on the link"},
        BadSpec{"p=ring:,ip4=192.0.2.1/24,gw4=192.0.2.1", "--port p.gw4", "own address"},
        BadSpec{"p=ring:,ip6=2001:db8::1/64,gw6=2001:db9::1", "--port p.gw6", "link-local"},
        BadSpec{"p=ring:,mac=02:00:00:00:00", "--port p.mac", "is not like"},
        BadSpec{"p=ring:,mac=01:00:00:00:00:01", "--port p.mac", "unicast"},
        BadSpec{"p=ring:,mac=00:00:00:00:00:00", "--port p.mac", "unicast"},
        BadSpec{"p=af_xdp:eth1,queues=3-2", "--port p.queues", "range"},
        BadSpec{"p=af_xdp:eth1,queues=a", "--port p.queues", "range"},
        BadSpec{"p=memif:/a,role=master", "--port p.role", "server or client"},
        BadSpec{"p=memif:/a,id=x", "--port p.id", "number"}));

}  // namespace
}  // namespace weir::dataplane
