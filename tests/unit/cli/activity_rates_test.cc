#include "control/cli/activity_rates.h"

#include <gtest/gtest.h>

#include "control/cli/render_top.h"

namespace weir::cli {
namespace {

using measurement::v1::NodeActivity;

NodeActivity At(uint64_t seconds, uint64_t packets) {
  NodeActivity activity;
  activity.set_at_unix_ns(seconds * 1'000'000'000);
  activity.set_dataplane_connected(true);
  activity.set_dataplane_boot_id("boot");
  auto* port = activity.add_ports();
  port->set_name("data");
  port->set_link_up(true);
  port->set_tx_packets(packets);
  port->set_tx_bytes(packets * 100);
  auto* worker = activity.add_workers();
  worker->set_port("data");
  worker->set_tx_packets(packets);
  worker->set_busy_cycles(packets * 200);
  worker->set_idle_cycles(packets * 600);
  return activity;
}

TEST(ActivityRates, AreTakenOverTheTimeBetween) {
  NodeActivity now = At(12, 3'000);
  TakeRates(At(10, 1'000), &now);
  EXPECT_DOUBLE_EQ(now.interval_s(), 2);
  EXPECT_DOUBLE_EQ(now.ports(0).tx_pps(), 1'000);
  EXPECT_DOUBLE_EQ(now.ports(0).tx_bps(), 800'000);
  EXPECT_DOUBLE_EQ(now.workers(0).busy(), 0.25);
  EXPECT_DOUBLE_EQ(now.workers(0).cycles_per_packet(), 200);
}

TEST(ActivityRates, NothingMovedIsZero) {
  NodeActivity now = At(11, 1'000);
  TakeRates(At(10, 1'000), &now);
  EXPECT_EQ(now.workers(0).busy(), 0);
  EXPECT_EQ(now.workers(0).cycles_per_packet(), 0);
}

TEST(ActivityRates, ADataplaneThatStartedAnewIsNotCompared) {
  NodeActivity now = At(12, 10);
  now.set_dataplane_boot_id("another");
  TakeRates(At(10, 1'000), &now);
  EXPECT_EQ(now.interval_s(), 0);
  EXPECT_EQ(now.ports(0).tx_pps(), 0);
}

TEST(RenderTop, ShowsPortsWorkersSessionsAndDrops) {
  NodeActivity now = At(12, 3'000);
  now.mutable_drops()->set_unknown(7);
  now.mutable_ports(0)->set_link_up(false);
  TakeRates(At(10, 1'000), &now);
  const std::string text = RenderTop(now, Terminal(false, false, false));
  for (const char* part :
       {"data", "down", "1.000 kpps", "25.0%", "200", "no sessions", "of no session          7"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_NE(RenderTop({}, Terminal(false, false, false)).find("not connected"), std::string::npos);
}

}  // namespace
}  // namespace weir::cli
