// Template fill: a packet into each of 1,024 warm buffers, as one flow does at saturation, beside
// a loop that stores 16 bytes in each. The counter "cycles" is TSC cycles a packet.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>

#include "bench/engine_fixture.h"
#include "bench/measure_cycles.h"
#include "dataplane/flow/packet_run.h"
#include "dataplane/tx/tx_burst.h"

namespace weir::bench {
namespace {

constexpr size_t kBuffers = 1024;

void Store16Bytes(benchmark::State& state) {
  FrameArray frames(kBuffers);
  uint64_t sequence = 0;
  MeasureCycles(
      state, kBuffers, [] {},
      [&] {
        for (size_t i = 0; i < kBuffers; ++i) {
          const uint64_t words[2] = {sequence++, 12345};
          std::memcpy(frames.payload(i), words, sizeof(words));
        }
        benchmark::ClobberMemory();
      });
}
BENCHMARK(Store16Bytes)->UseManualTime();

void FillTemplate(benchmark::State& state) {
  FrameArray frames(kBuffers);
  const auto payload = static_cast<uint32_t>(state.range(0));
  const dataplane::PacketTemplate size(SenderSpec(payload), payload, kSenderMac, kReceiverMac, 0);
  uint32_t sequence = 0;
  MeasureCycles(
      state, kBuffers, [] {},
      [&] {
        for (size_t i = 0; i < kBuffers; i += dataplane::kTxSaturatedBurst) {
          dataplane::MakeRun(size, frames.mbufs() + i, dataplane::kTxSaturatedBurst, sequence,
                             12345);
          sequence += dataplane::kTxSaturatedBurst;
        }
        benchmark::ClobberMemory();
      });
}
BENCHMARK(FillTemplate)->Arg(18)->Arg(1472)->UseManualTime();

// Buffers that come back from another flow: headers are copied each time.
void FillTwoFlows(benchmark::State& state) {
  FrameArray frames(kBuffers);
  const dataplane::PacketTemplate sizes[2] = {{SenderSpec(18, 1), 18, kSenderMac, kReceiverMac, 0},
                                              {SenderSpec(18, 2), 18, kSenderMac, kReceiverMac, 0}};
  uint32_t sequence = 0;
  size_t turn = 0;
  MeasureCycles(
      state, kBuffers, [&] { turn ^= 1; },
      [&] {
        for (size_t i = 0; i < kBuffers; ++i) {
          dataplane::StampPacket(sizes[turn].Prepare(frames.mbuf(i)), sequence++, 12345);
        }
        benchmark::ClobberMemory();
      });
}
BENCHMARK(FillTwoFlows)->UseManualTime();

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();
