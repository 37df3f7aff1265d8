#include "tests/unit/dataplane/eal_environment.h"

#include <gtest/gtest.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include <cstring>

#include "dataplane/eal/cpu_list.h"
#include "dataplane/port/device.h"

namespace weir::dataplane::testing {
namespace {

rte_mempool* g_pool = nullptr;

class EalEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    const std::string cpus = "(" + FormatCpuList(AllowedCpus()) + ")";
    std::string lcores;
    for (unsigned i = 0; i < kTestLcores; ++i) {
      lcores += (i == 0 ? "" : ",") + std::to_string(i) + "@" + cpus;
    }
    arguments_ = {"unit-dataplane", "--no-huge",      "-m",       "256",
                  "--no-shconf",    "--no-telemetry", "--no-pci", "--lcores",
                  lcores,           "--main-lcore",   "0",        "--log-level=*:critical"};
    std::vector<char*> argv;
    for (std::string& argument : arguments_) argv.push_back(argument.data());
    ASSERT_GE(rte_eal_init(static_cast<int>(argv.size()), argv.data()), 0);
    g_pool = rte_pktmbuf_pool_create("test", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
    ASSERT_NE(g_pool, nullptr);
  }
  void TearDown() override {
    EXPECT_EQ(rte_mempool_in_use_count(g_pool), 0u) << "a test leaked packets";
    rte_eal_cleanup();
  }

 private:
  std::vector<std::string> arguments_;  // EAL keeps pointers into it.
};

[[maybe_unused]] ::testing::Environment* const g_environment =
    ::testing::AddGlobalTestEnvironment(new EalEnvironment);

}  // namespace

std::unique_ptr<Port> OpenTestPort(const std::string& device, const std::string& keys) {
  static uint16_t index = 0;
  const auto spec = ParsePortSpec("p0=" + device + (keys.empty() ? "" : "," + keys));
  EXPECT_TRUE(spec.ok()) << spec.error().message;
  if (!spec.ok()) return nullptr;
  const uint16_t own = index++;
  const Status created = CreateDevice(spec.value(), own, 1);
  EXPECT_TRUE(created.ok()) << created.error().message;
  if (!created.ok()) return nullptr;
  auto port = OpenPort(spec.value(), own, 1);
  EXPECT_TRUE(port.ok()) << port.error().message;
  if (!port.ok()) return nullptr;
  const Status started = port.value()->Start();
  EXPECT_TRUE(started.ok()) << started.error().message;
  return std::move(port.value());
}

std::vector<Bytes> SentFromMain(const Port& port) {
  std::vector<Bytes> frames;
  rte_mbuf* frame = nullptr;
  const auto queue = static_cast<uint16_t>(port.tx_queue_count() - 1);
  while (rte_eth_rx_burst(port.ethdev(), queue, &frame, 1) == 1) {
    const auto* start = rte_pktmbuf_mtod(frame, const uint8_t*);
    frames.emplace_back(start, start + frame->data_len);
    rte_pktmbuf_free(frame);
  }
  return frames;
}

rte_mbuf* MakePacket(const Bytes& bytes) {
  rte_mbuf* packet = rte_pktmbuf_alloc(g_pool);
  std::memcpy(rte_pktmbuf_append(packet, static_cast<uint16_t>(bytes.size())), bytes.data(),
              bytes.size());
  return packet;
}

}  // namespace weir::dataplane::testing
