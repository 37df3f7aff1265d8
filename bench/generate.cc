// One worker's generator on a `null:` device as fast as it goes: the Weir side of the rows
// generate_null_* of bench/run. Prints packets/s as JSON.
// Several flows send in turn, one packet each, in an order that is random in their addresses.
//   bench-generate CPU UDP_PAYLOAD SECONDS [FLOWS]
#include <rte_eal.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "bench/engine_fixture.h"
#include "dataplane/clock/clock.h"
#include "dataplane/flow/flow_slots.h"
#include "dataplane/tx/tx_pool.h"

namespace weir::bench {
namespace {

bool StartNullPort() {
  rte_eth_conf conf{};
  return rte_eth_dev_configure(0, 1, 1, &conf) == 0 &&
         rte_eth_tx_queue_setup(0, 0, 1024, SOCKET_ID_ANY, nullptr) == 0;
}

int Run(const std::string& cpu, uint32_t payload, uint64_t seconds, uint32_t flow_count) {
  std::vector<std::string> arguments = {
      "bench-generate", "--no-huge",         "-m", "256", "--no-pci", "--no-telemetry",
      "--no-shconf",    "--log-level=error", "-l", cpu,   "--vdev",   "net_null0"};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0 || !StartNullPort()) {
    std::fprintf(stderr, "bench-generate: cannot start DPDK on CPU %s\n", cpu.c_str());
    return 3;
  }
  rte_mempool* rx_pool = rte_pktmbuf_pool_create("rx", 1023, 0, 0, 2048, SOCKET_ID_ANY);
  dataplane::Result<dataplane::TxPool> pool = dataplane::MakeTxPool("tx", 1500, SOCKET_ID_ANY);
  if (!pool.ok() || rx_pool == nullptr ||
      rte_eth_rx_queue_setup(0, 0, 64, SOCKET_ID_ANY, nullptr, rx_pool) != 0 ||
      rte_eth_dev_start(0) != 0) {
    std::fprintf(stderr, "bench-generate: cannot start the null port\n");
    return 3;
  }

  dataplane::Clock clock;
  clock.Calibrate();
  // The order of turns is that of the slots, as it is a worker's; what is in a slot is random.
  std::vector<uint32_t> tuples(flow_count);
  std::iota(tuples.begin(), tuples.end(), 1);
  std::shuffle(tuples.begin(), tuples.end(), std::mt19937(1));
  dataplane::FlowSlots slots(flow_count);
  std::vector<dataplane::TxFlow*> in_turn;
  for (uint32_t slot = 0; slot < flow_count; ++slot) {
    const dataplane::FlowSpec spec = SenderSpec(payload, tuples[slot]);
    const dataplane::PacketTemplate size(spec, payload, kSenderMac, kReceiverMac, 0);
    in_turn.push_back(&slots.OpenTx(slot, spec, {size}, clock.tsc_hz()));
    in_turn.back()->gate.allow_until_tsc = UINT64_MAX;
  }

  dataplane::TxBurst burst({0, 0, pool->get()});
  burst.set_shared(flow_count > 1);
  const dataplane::ClockLine line = clock.Line();
  const uint64_t start = dataplane::ReadTsc();
  const uint64_t end = start + seconds * clock.tsc_hz();
  uint64_t packets = 0;
  uint64_t now = start;
  while (now < end) {
    for (uint32_t i = 0; i < 256; i += flow_count) packets += SendRound(in_turn, &burst, line);
    now = dataplane::ReadTsc();
  }
  const double elapsed = static_cast<double>(now - start) / static_cast<double>(clock.tsc_hz());
  std::printf("{\"packets_per_second\": %.0f, \"cycles_per_packet\": %.1f}\n",
              static_cast<double>(packets) / elapsed,
              static_cast<double>(now - start) / static_cast<double>(packets));
  return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5 || (argc == 5 && std::atoi(argv[4]) < 1)) {
    std::fprintf(stderr, "usage: bench-generate CPU UDP_PAYLOAD SECONDS [FLOWS]\n");
    return 2;
  }
  return weir::bench::Run(argv[1], static_cast<uint32_t>(std::atoi(argv[2])),
                          static_cast<uint64_t>(std::atoi(argv[3])),
                          argc == 5 ? static_cast<uint32_t>(std::atoi(argv[4])) : 1);
}
