#include "dataplane/slowpath/transmitter.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/eal_environment.h"
#include "tests/unit/dataplane/frames.h"

namespace weir::dataplane {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the helpers above.

class TransmitterTest : public ::testing::TestWithParam<uint16_t> {};

TEST_P(TransmitterTest, SendsValidUdp) {
  const uint16_t vlan = GetParam();
  auto port = OpenTestPort("ring:", "ip4=198.51.100.1/24,ip6=2001:db8::1/64" +
                                        (vlan == 0 ? "" : ",vlan=" + std::to_string(vlan)));
  ASSERT_NE(port, nullptr);
  auto transmitter = Transmitter::Create();
  ASSERT_TRUE(transmitter.ok());
  const Bytes payload(33, 0xA5);  // Odd.
  rte_ether_addr to{{0x02, 0, 0, 0, 0, 0x99}};
  for (const bool v4 : {true, false}) {
    const IpAddress local = v4 ? port->address4() : port->address6();
    const IpAddress remote = v4 ? Ip("198.51.100.9") : Ip("2001:db8::9");
    ASSERT_TRUE(transmitter.value()->SendUdp(*port, {.destination = to,
                                                     .local_ip = local,
                                                     .local_port = 4000,
                                                     .remote_ip = remote,
                                                     .remote_port = 5000,
                                                     .dscp = 46,
                                                     .payload = payload}));
    const auto sent = SentFromMain(*port);
    ASSERT_EQ(sent.size(), 1u);
    const size_t l3 = vlan == 0 ? 14 : 18;
    const size_t l4 = l3 + (v4 ? 20 : 40);
    ASSERT_EQ(sent[0].size(), l4 + 8 + payload.size());
    if (vlan != 0) {
      EXPECT_EQ(reinterpret_cast<const VlanTag*>(sent[0].data() + 14)->tci, vlan);
    }
    if (v4) {
      const auto* ip = reinterpret_cast<const Ip4Header*>(sent[0].data() + l3);
      EXPECT_EQ(ip->tos >> 2, 46);
      EXPECT_EQ(ip->fragment, 0x4000);
      EXPECT_EQ(ip->id, 0);
      Checksum header;
      header.Add({sent[0].data() + l3, 20});
      EXPECT_EQ(header.Value(), 0);
    } else {
      const auto* ip = reinterpret_cast<const Ip6Header*>(sent[0].data() + l3);
      EXPECT_EQ(ip->version_class_flow >> 22, (6u << 6) | 46u);
    }
    Checksum checksum;
    checksum.AddPseudoHeader(local, remote, kProtocolUdp, 41);
    checksum.Add({sent[0].data() + l4, 41});
    EXPECT_EQ(checksum.Value(), 0);
    const auto* udp = reinterpret_cast<const UdpHeader*>(sent[0].data() + l4);
    EXPECT_EQ(udp->source_port, 4000);
    EXPECT_EQ(udp->destination_port, 5000);
    EXPECT_EQ(udp->length, 41);
  }
  port->Stop();
}
INSTANTIATE_TEST_SUITE_P(Vlans, TransmitterTest, ::testing::Values(0, 100));

TEST(Transmitter, RefusesWhatDoesNotFit) {
  auto port = OpenTestPort("ring:", "ip4=198.51.100.1/24,mtu=600");
  ASSERT_NE(port, nullptr);
  auto transmitter = Transmitter::Create();
  ASSERT_TRUE(transmitter.ok());
  const Bytes payload(573, 0);
  UdpMessage message{.destination = {{2, 0, 0, 0, 0, 9}},
                     .local_ip = port->address4(),
                     .local_port = 1,
                     .remote_ip = Ip("198.51.100.9"),
                     .remote_port = 2,
                     .payload = payload};
  EXPECT_FALSE(transmitter.value()->SendUdp(*port, message));
  message.payload = message.payload.first(572);
  EXPECT_TRUE(transmitter.value()->SendUdp(*port, message));
  message.remote_ip = Ip("2001:db8::9");
  EXPECT_FALSE(transmitter.value()->SendUdp(*port, message)) << "another family";
  port->Stop();
}

}  // namespace
}  // namespace weir::dataplane
