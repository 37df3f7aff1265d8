#include "dataplane/flow/flow_spec.h"

#include <gtest/gtest.h>

#include <string>

#include "wire/test_packet.h"

namespace weir::dataplane {
namespace {

v1::FlowSpec Message() {
  v1::FlowSpec spec;
  spec.set_slot(1);
  spec.set_generation(7);
  spec.set_role(v1::TX);
  spec.set_session_id(std::string(16, 's'));
  spec.set_session_key(std::string(32, 'k'));
  spec.mutable_local()->set_udp_port(40'000);
  spec.mutable_remote()->set_ip(std::string("\xC0\0\x02\x02", 4));
  spec.mutable_remote()->set_udp_port(50'000);
  spec.set_peer_slot(3);
  spec.set_peer_generation(9);
  spec.set_cookie(wire::MakeCookie(3, 42));
  spec.set_rate_bps(1'000'000);
  spec.set_duration_ns(1'000'000'000);
  spec.add_payload()->set_udp_payload_bytes(18);
  return spec;
}

PortLimits Limits() {
  PortLimits limits;
  limits.name = "data";
  limits.ip4 = IpAddress::FromText("192.0.2.1");
  return limits;
}

TEST(FlowSpec, ABenchFlowNeedsAPortThatWasOpenedForIt) {
  v1::FlowSpec message = Message();
  message.mutable_bench();
  PortLimits limits = Limits();
  auto refused = MakeFlowSpec(message, 16, limits);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, v1::FAILED_PRECONDITION);
  EXPECT_EQ(refused.error().field, "spec.bench");
  EXPECT_NE(refused.error().message.find("bench=on"), std::string::npos);
  limits.bench = true;
  auto spec = MakeFlowSpec(message, 16, limits);
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_TRUE(spec->bench);
  EXPECT_FALSE(spec->next_hop_mac.has_value());
}

TEST(FlowSpec, AFlowOnABenchPortIsNoBenchFlowByThat) {
  PortLimits limits = Limits();
  limits.bench = true;
  auto spec = MakeFlowSpec(Message(), 16, limits);
  ASSERT_TRUE(spec.ok());
  EXPECT_FALSE(spec->bench);
}

TEST(FlowSpec, AGroupAddressIsForIsolatedPortsAlone) {
  v1::FlowSpec message = Message();
  PortLimits limits = Limits();
  limits.bench = true;
  message.mutable_bench()->set_destination_mac(std::string("\x02\0\0\0\0\x05", 6));
  auto unicast = MakeFlowSpec(message, 16, limits);
  ASSERT_TRUE(unicast.ok());
  EXPECT_EQ((*unicast->next_hop_mac)[5], 5);

  message.mutable_bench()->set_destination_mac(std::string(6, '\xFF'));
  auto broadcast = MakeFlowSpec(message, 16, limits);
  ASSERT_FALSE(broadcast.ok());
  EXPECT_EQ(broadcast.error().field, "spec.bench.destination_mac");
  limits.isolated = true;
  EXPECT_TRUE(MakeFlowSpec(message, 16, limits).ok());

  for (const std::string& wrong : {std::string(6, '\0'), std::string(5, 'x')}) {
    message.mutable_bench()->set_destination_mac(wrong);
    EXPECT_FALSE(MakeFlowSpec(message, 16, limits).ok());
  }
}

TEST(FlowSpec, ACapThatNoWorkerReachesNeedsNoPacing) {
  v1::FlowSpec message = Message();
  message.set_rate_bps(0);
  message.set_rate_max(true);
  message.set_cap_rate_bps(1'000'000'000'000'000);
  EXPECT_EQ(MakeFlowSpec(message, 16, Limits())->rate_bps, 0u);
  message.set_cap_rate_bps(10'000'000'000);
  EXPECT_EQ(MakeFlowSpec(message, 16, Limits())->rate_bps, 10'000'000'000u);
}

TEST(FlowSpec, ARampBeginsAtMostAtItsRate) {
  v1::FlowSpec message = Message();
  message.set_rate_bps(1'000'000);
  message.set_ramp_start_bps(1);
  auto refused = MakeFlowSpec(message, 16, Limits());
  ASSERT_FALSE(refused.ok()) << "without PACING_RAMP";
  EXPECT_EQ(refused.error().field, "spec.ramp_start_bps");
  message.set_pacing(v1::PACING_RAMP);
  EXPECT_EQ(MakeFlowSpec(message, 16, Limits())->ramp_start_bps, 1u);
  message.set_ramp_start_bps(1'000'001);
  EXPECT_FALSE(MakeFlowSpec(message, 16, Limits()).ok());
}

}  // namespace
}  // namespace weir::dataplane
