// weir-impair: forwards between two ports and impairs the test packets of one direction by
// exact, repeatable rules. For tests; prints what it did as JSON when it is told to stop.
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <spdlog/fmt/fmt.h>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "tests/impair/impairment.h"
#include "tests/impair/lane.h"

namespace weir::impair {
namespace {

constexpr unsigned kBuffers = 16383;

volatile std::sig_atomic_t stop_requested = 0;
void RequestStop(int) { stop_requested = 1; }

struct Options {
  std::array<std::string, 2> ports;
  bool reverse = false;
  bool realtime = false;
  bool slow = false;
  uint64_t delay_us = 0;
  uint64_t poll_us = 20;
  uint16_t workers = 1;
  uint16_t spread = 1;
  std::vector<uint64_t> drop, duplicate, swap;
  Impairment impairment;
};

// The clock the delay is kept by: DPDK's own idea of the TSC's rate is not good enough.
uint64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void SleepUntil(uint64_t ns) {
  const timespec until{static_cast<time_t>(ns / 1'000'000'000),
                       static_cast<long>(ns % 1'000'000'000)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
}

// "af_packet:IFACE" or "memif:SOCKET", as DPDK's --vdev wants it. Empty: neither.
std::string DeviceArgument(const std::string& port, int index) {
  if (port.starts_with("af_packet:")) {
    return fmt::format("--vdev=net_af_packet{},iface={},framecnt=2048,blocksz=4096", index,
                       port.substr(10));
  }
  if (port.starts_with("memif:")) {
    return fmt::format("--vdev=net_memif{},role=client,socket-abstract=no,rsize=11,socket={}",
                       index, port.substr(6));
  }
  return {};
}

// The two ends of a shared memory link must agree on the number of rings, or a queue without one
// reads another's: a Weir dataplane has a pair for each worker and one for the main lcore.
bool StartPort(uint16_t port, uint16_t queues, rte_mempool* pool, Receiver* receiver) {
  rte_eth_dev_info info{};
  if (rte_eth_dev_info_get(port, &info) != 0) return false;
  *receiver = {port, std::min(queues, info.max_rx_queues)};
  const rte_eth_conf configuration{};
  if (rte_eth_dev_configure(port, receiver->queues, receiver->queues, &configuration) != 0)
    return false;
  for (uint16_t queue = 0; queue < receiver->queues; ++queue) {
    if (rte_eth_rx_queue_setup(port, queue, 1024, 0, nullptr, pool) != 0 ||
        rte_eth_tx_queue_setup(port, queue, 1024, 0, nullptr) != 0) {
      return false;
    }
  }
  if (rte_eth_dev_start(port) != 0) return false;
  rte_eth_promiscuous_enable(port);
  return true;
}

// Returns what is wrong, or nothing.
std::string Start(const Options& options, rte_mempool** pool, std::array<Receiver, 2>* receivers) {
  std::vector<std::string> words = {"weir-impair",    "--no-huge",        "-m",       "256",
                                    "--no-shconf",    "--no-pci",         "--lcores", "0@0-1",
                                    "--no-telemetry", "--log-level=error"};
  for (int i = 0; i < 2; ++i) {
    words.push_back(DeviceArgument(options.ports[i], i));
    if (words.back().empty()) return "port '" + options.ports[i] + "': not af_packet: or memif:";
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0) {
    return "DPDK did not start";
  }
  *pool = rte_pktmbuf_pool_create("impair", kBuffers, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
  if (*pool == nullptr) return "no memory for packets";
  for (uint16_t port = 0; port < 2; ++port) {
    const auto queues = static_cast<uint16_t>(options.workers + 1);
    if (!StartPort(port, queues, *pool, &(*receivers)[port])) {
      return "port '" + options.ports[port] + "' did not start";
    }
  }
  return {};
}

// Looks at both ports every `poll_ns`; at once again if the last look was worth it and the
// ports are not meant to be slow.
void Forward(std::array<Lane, 2>* lanes, uint64_t poll_ns, bool slow) {
  while (stop_requested == 0) {
    const uint64_t now = Now();
    bool moved = false;
    for (Lane& lane : *lanes) moved |= lane.Poll(now);
    if (moved && !slow) continue;
    uint64_t wake = now + poll_ns;
    for (const Lane& lane : *lanes) wake = lane.NextDue(now, wake);
    SleepUntil(wake);
  }
}

int Run(const Options& options) {
  rte_mempool* pool = nullptr;
  std::array<Receiver, 2> receivers;
  const std::string error = Start(options, &pool, &receivers);
  if (!error.empty()) {
    fmt::print(stderr, "weir-impair: {}\n", error);
    return 1;
  }
  prctl(PR_SET_TIMERSLACK, 1);
  const sched_param priority{.sched_priority = 10};
  if (options.realtime && sched_setscheduler(0, SCHED_FIFO, &priority) != 0) {
    std::perror("weir-impair: --realtime");
    return 1;
  }
  std::array<Lane, 2> lanes = {
      Lane(receivers[0], 1, pool, options.reverse ? Impairment{} : options.impairment,
           options.spread),
      Lane(receivers[1], 0, pool, options.reverse ? options.impairment : Impairment{})};
  fmt::print("ready\n");
  std::fflush(stdout);
  Forward(&lanes, options.poll_us * 1000, options.slow);
  fmt::print("{{\"forward\":{},\"reverse\":{}}}\n", lanes[0].Json(), lanes[1].Json());
  std::fflush(stdout);
  for (uint16_t port = 0; port < 2; ++port) rte_eth_dev_stop(port);
  rte_eal_cleanup();
  return 0;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Forwards between two ports and impairs Weir's test packets in one direction");
  app.add_option("first", options.ports[0], "af_packet:IFACE or memif:SOCKET")->required();
  app.add_option("second", options.ports[1], "af_packet:IFACE or memif:SOCKET")->required();
  app.add_flag("--reverse", options.reverse, "impair second to first instead");
  app.add_flag("--realtime", options.realtime, "run under SCHED_FIFO: precise delays");
  Impairment& impairment = options.impairment;
  app.add_option("--drop-every", impairment.drop.every);
  app.add_option("--drop", options.drop, "indices, from 0")->delimiter(',');
  app.add_option("--duplicate-every", impairment.duplicate.every);
  app.add_option("--duplicate", options.duplicate)->delimiter(',');
  app.add_option("--swap-every", impairment.swap.every);
  app.add_option("--swap", options.swap)->delimiter(',');
  app.add_option("--swap-distance", impairment.swap_distance, "packets that overtake")
      ->check(CLI::PositiveNumber);
  app.add_option("--delay-us", options.delay_us, "of every test packet");
  app.add_option("--delay-dscp", impairment.delay_dscp, "only those of this DSCP")
      ->excludes(app.get_option("--swap-every"))
      ->excludes(app.get_option("--swap"));
  app.add_option("--poll-us", options.poll_us, "between looks at idle ports");
  app.add_option("--workers", options.workers, "of the dataplanes at the other ends of memif ports")
      ->check(CLI::Range(1, 8));
  app.add_option("--spread", options.spread,
                 "sends first to second on so many queues in turn, whatever the flow")
      ->check(CLI::Range(1, 8));
  app.add_flag("--slow", options.slow, "at most 32 packets a look, and none in between");
  CLI11_PARSE(app, argc, argv);
  impairment.drop.indices.insert(options.drop.begin(), options.drop.end());
  impairment.duplicate.indices.insert(options.duplicate.begin(), options.duplicate.end());
  impairment.swap.indices.insert(options.swap.begin(), options.swap.end());
  impairment.delay_ns = options.delay_us * 1000;

  struct sigaction action {};
  action.sa_handler = RequestStop;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return Run(options);
}

}  // namespace
}  // namespace weir::impair

int main(int argc, char** argv) { return weir::impair::Main(argc, argv); }
