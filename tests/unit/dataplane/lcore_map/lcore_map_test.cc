#include "dataplane/lcore_map/lcore_map.h"

#include <gtest/gtest.h>

#include <set>

namespace weir::dataplane {
namespace {

PortQueues MakePort(uint16_t index, int socket, uint16_t workers) {
  PortQueues port{index, "p" + std::to_string(index), socket, {}};
  for (uint16_t i = 0; i < workers; ++i) port.workers.push_back({{i}, i});
  return port;
}

const std::vector<Lcore> kLcores = {{1, 4, 0}, {2, 5, 0}, {3, 20, 1}, {4, 21, 1}};

TEST(PlaceWorkers, PrefersTheNodeOfThePort) {
  // p0 would take the lcores of node 1 if it came first.
  const std::vector<PortQueues> ports = {MakePort(0, -1, 2), MakePort(1, 1, 2)};
  const auto placed = PlaceWorkers(ports, kLcores);
  ASSERT_TRUE(placed.ok());
  ASSERT_EQ(placed.value().size(), 4u);
  std::set<unsigned> lcores;
  for (uint32_t i = 0; i < 4; ++i) {
    const WorkerPlacement& placement = placed.value()[i];
    EXPECT_EQ(placement.worker, i);
    EXPECT_EQ(placement.port, i / 2);
    EXPECT_EQ(placement.socket, i < 2 ? 0 : 1);
    EXPECT_EQ(placement.tx_queue, i % 2);
    EXPECT_TRUE(lcores.insert(placement.lcore).second);
  }
  EXPECT_NE(placed.value()[2].reason.find("the port's NUMA node"), std::string::npos);
  EXPECT_NE(placed.value()[2].reason.find("CPU 20"), std::string::npos);
}

TEST(PlaceWorkers, TakesAnotherNodeWhenItsOwnIsFull) {
  const auto placed = PlaceWorkers(std::vector<PortQueues>{MakePort(0, 1, 3)}, kLcores);
  ASSERT_TRUE(placed.ok());
  EXPECT_EQ(placed.value()[2].socket, 0);
  EXPECT_NE(placed.value()[2].reason.find("no lcore left"), std::string::npos);
}

TEST(PlaceWorkers, RefusesMoreWorkersThanLcores) {
  const auto placed =
      PlaceWorkers(std::vector<PortQueues>{MakePort(0, 0, 3), MakePort(1, 0, 2)}, kLcores);
  ASSERT_FALSE(placed.ok());
  EXPECT_EQ(placed.error().field, "--workers");
  EXPECT_NE(placed.error().message.find("5 workers"), std::string::npos);
  EXPECT_NE(placed.error().message.find("4 lcores"), std::string::npos);
}

}  // namespace
}  // namespace weir::dataplane
