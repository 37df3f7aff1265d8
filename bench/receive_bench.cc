// Classify and track, beside a loop that only reads each packet's first 72 bytes.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "bench/engine_fixture.h"
#include "dataplane/rx/classifier.h"
#include "dataplane/rx/rx_flow.h"
#include "dataplane/worker/worker_config.h"

namespace weir::bench {
namespace {

constexpr size_t kBuffers = 1024;

void Read72Bytes(benchmark::State& state) {
  FrameArray frames(kBuffers, wire::kMinUdpPayload);
  uint64_t at = 0;
  for (auto _ : state) {
    const auto* frame = rte_pktmbuf_mtod(frames.mbuf(at % kBuffers), const uint8_t*);
    ++at;
    uint64_t sum = 0;
    for (size_t i = 0; i < 72; i += 8) {
      uint64_t word;
      std::memcpy(&word, frame + i, sizeof(word));
      sum += word;
    }
    benchmark::DoNotOptimize(sum);
  }
}
BENCHMARK(Read72Bytes);

void Classify(benchmark::State& state) {
  FrameArray frames(kBuffers, wire::kMinUdpPayload);
  uint64_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(dataplane::Classify(frames.mbuf(at++ % kBuffers), 0));
  }
}
BENCHMARK(Classify);

// Sequence numbers as they arrive: in order, or with 1 % each of loss, reordering and duplicates.
std::vector<uint32_t> Arrivals(bool impaired) {
  std::mt19937 random(1);
  std::vector<uint32_t> arrivals;
  for (uint32_t i = 0; i < 65'536; ++i) {
    if (impaired && random() % 100 == 0) continue;
    arrivals.push_back(i);
    if (impaired && random() % 100 == 0) arrivals.push_back(i);
    if (impaired && arrivals.size() > 2 && random() % 100 == 0) {
      std::swap(arrivals[arrivals.size() - 1], arrivals[arrivals.size() - 2]);
    }
  }
  return arrivals;
}

void ClassifyAndTrack(benchmark::State& state) {
  FrameArray frames(kBuffers, wire::kMinUdpPayload);
  const std::vector<uint32_t> arrivals = Arrivals(state.range(0) != 0);
  auto histogram = std::make_unique<shm::LogHistogram>();
  dataplane::RxTable table(16);
  dataplane::RxFlow flow(ReceiverSpec(), histogram.get());
  table.Set(kReceiverSlot, &flow);
  uint64_t at = 0;
  uint32_t round_base = 0;
  for (auto _ : state) {
    const size_t index = at % arrivals.size();
    if (index == 0 && at != 0) round_base += 65'536;
    const size_t buffer = at % kBuffers;
    dataplane::StampPacket(frames.payload(buffer), round_base + arrivals[index], 0);
    const dataplane::TestFrame frame = dataplane::Classify(frames.mbuf(buffer), 0);
    dataplane::RxFlow* found = table.Find(wire::CookieSlot(frame.packet->cookie));
    if (found->Matches(frame.packet->cookie, frame.ips, frame.ip_pair_bytes, frame.ports)) {
      found->Receive({frame.packet->sequence, frame.packet->send_time, frame.ip_bytes, 64},
                     1'000'000 + at);
    }
    ++at;
  }
}
BENCHMARK(ClassifyAndTrack)->ArgName("impaired")->Arg(0)->Arg(1);

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();
