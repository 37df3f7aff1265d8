// A worker that paces one flow onto a ring device: the `ring:` side of the row pacing_gap of
// bench/run. Each packet is stamped on the worker's core where the device's driver takes it. Prints
// the errors of the gaps between departures, and before it those of a loop on the same core that
// only reads the clock until each deadline: what the machine lets anyone do.
//   bench-pacing WORKER_CPU MAIN_CPU PACKETS_PER_SECOND SECONDS
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "bench/engine_fixture.h"
#include "dataplane/clock/clock.h"
#include "dataplane/counters/segment.h"
#include "dataplane/worker/worker.h"

namespace weir::bench {
namespace {

constexpr uint16_t kPort = 0;
constexpr uint16_t kQueue = 0;  // What is sent comes back on it.
constexpr uint32_t kWorkerLcore = 1;
constexpr uint32_t kSlots = 16;
constexpr std::chrono::milliseconds kLinger{100};

struct Arguments {
  std::string worker_cpu;
  std::string main_cpu;
  uint64_t packets_per_second;
  uint64_t seconds;
};

int Fail(const char* what) {
  std::fprintf(stderr, "bench-pacing: %s\n", what);
  return 3;
}

bool StartDpdk(const Arguments& arguments) {
  const std::string lcores = "0@" + arguments.main_cpu + ",1@" + arguments.worker_cpu;
  std::vector<std::string> words = {
      "bench-pacing", "--no-huge",         "-m",       "256",  "--no-pci",     "--no-telemetry",
      "--no-shconf",  "--log-level=error", "--lcores", lcores, "--main-lcore", "0",
      "--vdev",       "net_ring0"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0;
}

bool StartRing(rte_mempool* pool) {
  rte_eth_conf conf{};
  return rte_eth_dev_configure(kPort, 1, 1, &conf) == 0 &&
         rte_eth_tx_queue_setup(kPort, kQueue, 1024, SOCKET_ID_ANY, nullptr) == 0 &&
         rte_eth_rx_queue_setup(kPort, kQueue, 1024, SOCKET_ID_ANY, nullptr, pool) == 0 &&
         rte_eth_dev_start(kPort) == 0;
}

// Worker's core: the TSC at which each packet was handed to the driver.
uint16_t Stamp(uint16_t, uint16_t, rte_mbuf**, uint16_t count, void* departures) {
  auto* stamps = static_cast<std::vector<uint64_t>*>(departures);
  const uint64_t now = dataplane::ReadTsc();
  for (uint16_t i = 0; i < count && stamps->size() < stamps->capacity(); ++i) {
    stamps->push_back(now);
  }
  return count;
}

struct Deadlines {
  uint64_t cycles_apart;
  std::vector<uint64_t>* met;  // When: as many as there is room for.
};

int MeetDeadlines(void* argument) {
  const auto& deadlines = *static_cast<const Deadlines*>(argument);
  uint64_t due = dataplane::ReadTsc();
  while (deadlines.met->size() < deadlines.met->capacity()) {
    uint64_t now = dataplane::ReadTsc();
    while (now < due) now = dataplane::ReadTsc();
    deadlines.met->push_back(now);
    due += deadlines.cycles_apart;
  }
  return 0;
}

int RunWorker(void* worker) {
  static_cast<dataplane::Worker*>(worker)->Run();
  return 0;
}

std::string Errors(const std::vector<uint64_t>& departures, uint64_t packets_per_second,
                   uint64_t tsc_hz) {
  const double ns_per_cycle = 1e9 / static_cast<double>(tsc_hz);
  const double due_ns = 1e9 / static_cast<double>(packets_per_second);
  std::vector<double> errors;
  for (size_t i = 1; i < departures.size(); ++i) {
    errors.push_back(
        std::abs(static_cast<double>(departures[i] - departures[i - 1]) * ns_per_cycle - due_ns));
  }
  std::sort(errors.begin(), errors.end());
  const auto share = [&errors](double of) {
    return errors[static_cast<size_t>(of * static_cast<double>(errors.size() - 1))];
  };
  char text[160];
  std::snprintf(
      text, sizeof(text),
      "{\"gaps\": %zu, \"p50_ns\": %.1f, \"p90_ns\": %.1f, \"p99_ns\": %.1f, \"max_ns\": %.1f}",
      errors.size(), share(0.5), share(0.9), share(0.99), errors.back());
  return text;
}

int Run(const Arguments& arguments) {
  if (!StartDpdk(arguments)) return Fail("cannot start DPDK on these CPUs");
  rte_mempool* rx_pool = rte_pktmbuf_pool_create("rx", 1023, 0, 0, 2048, SOCKET_ID_ANY);
  if (rx_pool == nullptr || !StartRing(rx_pool)) return Fail("cannot start the ring port");

  dataplane::Clock clock;
  clock.Calibrate();
  dataplane::Result<dataplane::Segment> segment = dataplane::Segment::Create(kSlots, 1, 1, 0, {});
  if (!segment.ok()) return Fail("cannot make the counter segment");
  dataplane::MainWakeup main_lcore;
  auto worker = dataplane::Worker::Create({.index = 0,
                                           .lcore = kWorkerLcore,
                                           .socket = SOCKET_ID_ANY,
                                           .ethdev = kPort,
                                           .rx_queues = {kQueue},
                                           .tx_queue = kQueue,
                                           .slots = kSlots},
                                          clock, segment->writer(), main_lcore);
  if (!worker.ok()) return Fail("cannot make the worker");

  dataplane::FlowSpec spec = SenderSpec(wire::kMinUdpPayload);
  const dataplane::PacketTemplate size{spec, wire::kMinUdpPayload, kSenderMac, kReceiverMac, 0};
  spec.rate_max = false;
  spec.rate_bps = arguments.packets_per_second * size.ip_bytes() * 8;
  spec.duration_ns = arguments.seconds * 1'000'000'000;
  dataplane::TxFlow& flow = (*worker)->flows.OpenTx(spec.slot, spec, {size}, clock.tsc_hz());
  flow.gate.allow_until_tsc = UINT64_MAX;
  dataplane::WorkerConfig config;
  config.tx = {&flow};
  (*worker)->configs.Publish(config);

  std::vector<uint64_t> departures(arguments.packets_per_second * arguments.seconds);
  departures.clear();  // Its memory has been touched.
  Deadlines deadlines{clock.tsc_hz() / arguments.packets_per_second, &departures};
  rte_eal_remote_launch(MeetDeadlines, &deadlines, kWorkerLcore);
  rte_eal_mp_wait_lcore();
  const std::string of_a_loop = Errors(departures, arguments.packets_per_second, clock.tsc_hz());
  departures.clear();
  if (rte_eth_add_tx_callback(kPort, kQueue, Stamp, &departures) == nullptr) {
    return Fail("cannot watch the port");
  }
  rte_eal_remote_launch(RunWorker, worker->get(), kWorkerLcore);
  std::this_thread::sleep_for(std::chrono::seconds(arguments.seconds) + kLinger);
  clock.Update();
  (*worker)->Stop();
  rte_eal_mp_wait_lcore();
  if (departures.size() < 2) return Fail("no packets left the worker");
  const std::string of_packets = Errors(departures, arguments.packets_per_second, clock.tsc_hz());
  std::printf("{\"packets\": %s, \"clock\": %s}\n", of_packets.c_str(), of_a_loop.c_str());
  return 0;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  if (argc != 5 || std::atoll(argv[3]) <= 0 || std::atoll(argv[4]) <= 0) {
    std::fprintf(stderr, "usage: bench-pacing WORKER_CPU MAIN_CPU PACKETS_PER_SECOND SECONDS\n");
    return 2;
  }
  return weir::bench::Run({.worker_cpu = argv[1],
                           .main_cpu = argv[2],
                           .packets_per_second = static_cast<uint64_t>(std::atoll(argv[3])),
                           .seconds = static_cast<uint64_t>(std::atoll(argv[4]))});
}
