#include "dataplane/port/port.h"

#include <gtest/gtest.h>

#include "dataplane/port/device.h"
#include "tests/unit/dataplane/eal_environment.h"

namespace weir::dataplane {
namespace {

using testing::OpenTestPort;

IpAddress Ip(const char* text) { return IpAddress::FromText(text); }

// A port that is not started, or why not.
Result<std::unique_ptr<Port>> Open(const std::string& text, uint16_t index, uint32_t workers) {
  const auto spec = ParsePortSpec(text);
  if (!spec.ok()) return spec.error();
  const Status created = CreateDevice(spec.value(), index, workers);
  if (!created.ok()) return created.error();
  return OpenPort(spec.value(), index, workers);
}

TEST(Port, GivesEachQueueToOneWorker) {
  const auto port = Open("p0=ring:,ip4=192.0.2.1/24", 900, 2);
  ASSERT_TRUE(port.ok()) << port.error().message;
  EXPECT_EQ(port.value()->driver(), "net_ring");
  EXPECT_EQ(port.value()->rx_queue_count(), 3);
  EXPECT_EQ(port.value()->tx_queue_count(), 3);
  const auto& workers = port.value()->workers();
  ASSERT_EQ(workers.size(), 2u);
  EXPECT_EQ(workers[0].rx_queues, (std::vector<uint16_t>{0, 2}));
  EXPECT_EQ(workers[1].rx_queues, (std::vector<uint16_t>{1}));
  EXPECT_EQ(workers[0].tx_queue, 0);
  EXPECT_EQ(workers[1].tx_queue, 1);
}

TEST(Port, NullHasNoQueueTooMany) {
  const auto port = Open("p0=null:,ip4=192.0.2.1/24", 901, 2);
  ASSERT_TRUE(port.ok()) << port.error().message;
  EXPECT_EQ(port.value()->rx_queue_count(), 2);
  EXPECT_EQ(port.value()->tx_queue_count(), 3);
  EXPECT_TRUE(rte_is_valid_assigned_ether_addr(&port.value()->mac()));
}

TEST(Port, RefusesMoreWorkersThanQueues) {
  const auto port = Open("p0=ring:", 902, 16);
  ASSERT_FALSE(port.ok());
  EXPECT_EQ(port.error().field, "--port p0");
  EXPECT_NE(port.error().message.find("Weir needs 17"), std::string::npos) << port.error().message;
}

TEST(Port, NamesTheInterfaceThatIsMissing) {
  for (const char* text : {"p0=af_packet:wp-none", "p0=af_xdp:wp-none"}) {
    const auto port = Open(text, 903, 1);
    ASSERT_FALSE(port.ok());
    EXPECT_NE(port.error().message.find("no interface wp-none"), std::string::npos);
  }
}

TEST(Port, RefusesToServeASocketThatIsAFile) {
  const auto port = Open("p0=memif:/etc/passwd", 904, 1);
  ASSERT_FALSE(port.ok());
  EXPECT_NE(port.error().message.find("not a socket"), std::string::npos) << port.error().message;
}

TEST(Port, TakesJumboFramesWhereTheDriverDoes) {
  const auto port = Open("p0=ring:,mtu=9000", 905, 1);
  ASSERT_TRUE(port.ok()) << port.error().message;
  EXPECT_EQ(port.value()->mtu(), 9000);
}

TEST(Port, FindsTheNextHop) {
  const auto port =
      OpenTestPort("ring:", "ip4=192.0.2.1/25,gw4=192.0.2.126,ip6=2001:db8::1/64,gw6=fe80::1");
  ASSERT_NE(port, nullptr);
  EXPECT_EQ(port->NextHop(Ip("192.0.2.9")).value(), Ip("192.0.2.9"));
  EXPECT_EQ(port->NextHop(Ip("192.0.2.200")).value(), Ip("192.0.2.126"));
  EXPECT_EQ(port->NextHop(Ip("2001:db8::9")).value(), Ip("2001:db8::9"));
  EXPECT_EQ(port->NextHop(Ip("2001:db9::9")).value(), Ip("fe80::1"));
  EXPECT_FALSE(port->NextHop(Ip("192.0.2.1")).ok());
  EXPECT_FALSE(port->NextHop(Ip("192.0.2.127")).ok()) << "broadcast";
  EXPECT_TRUE(port->NextHop(Ip("192.0.2.255")).ok()) << "somebody else's link";
  EXPECT_FALSE(port->NextHop(Ip("ff02::1")).ok());
  EXPECT_TRUE(port->Owns(Ip("2001:db8::1")));
  EXPECT_FALSE(port->Owns(IpAddress()));
}

TEST(Port, CountsWhatItSends) {
  const auto port = OpenTestPort("null:", "ip4=192.0.2.1/24");
  ASSERT_NE(port, nullptr);
  EXPECT_TRUE(port->alive());
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(port->SendFromMain(testing::MakePacket(testing::Bytes(60, 0))));
  }
  const PortStats stats = port->ReadStats();
  EXPECT_EQ(stats.tx_packets, 5u);
  EXPECT_EQ(stats.rx_packets, 0u);
  EXPECT_EQ(stats.rx_missed, 0u);
  EXPECT_EQ(stats.link_bps, 0u);
}

}  // namespace
}  // namespace weir::dataplane
