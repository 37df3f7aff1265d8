// Template fill: headers and stamp into 1,024 warm buffers, beside a loop that stores 16 bytes.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>

#include "bench/engine_fixture.h"

namespace weir::bench {
namespace {

constexpr size_t kBuffers = 1024;

void Store16Bytes(benchmark::State& state) {
  FrameArray frames(kBuffers, wire::kMinUdpPayload);
  uint64_t sequence = 0;
  for (auto _ : state) {
    const uint64_t words[2] = {sequence, ~sequence};
    std::memcpy(frames.payload(sequence++ % kBuffers), words, sizeof(words));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(Store16Bytes);

void FillTemplate(benchmark::State& state) {
  FrameArray frames(kBuffers, static_cast<uint32_t>(state.range(0)));
  uint64_t sequence = 0;
  for (auto _ : state) {
    uint8_t* payload = frames.payload(sequence % kBuffers);
    frames.size().WriteHeaders(payload);
    dataplane::StampPacket(payload, static_cast<uint32_t>(sequence), 12345);
    ++sequence;
    benchmark::ClobberMemory();
  }
}
BENCHMARK(FillTemplate)->Arg(18)->Arg(1472);

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();
