// A known number of packets filled and tracked, for valgrind to count instructions:
//   valgrind --tool=callgrind --toggle-collect=FillPackets bench-instructions
// TrackPackets likewise. tests/bench compares the counts with bench/instructions.json.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "bench/engine_fixture.h"
#include "dataplane/flow/flow_slots.h"
#include "dataplane/flow/packet_run.h"
#include "dataplane/rx/rx_burst.h"
#include "dataplane/tx/tx_burst.h"

namespace {

using weir::bench::FrameArray;
using weir::bench::kReceiverMac;
using weir::bench::kSenderMac;
using weir::bench::ReceiverSpec;
using weir::bench::SenderSpec;

constexpr size_t kFrames = 1024;
constexpr size_t kRounds = 100;
constexpr uint64_t kNowNs = 1'795'000'000'000'000'000;
constexpr auto kSentNs = static_cast<uint32_t>(kNowNs - 100'000);

}  // namespace

// One flow at saturation: what a packet costs beside the pool and the port.
extern "C" [[gnu::noinline]] void FillPackets(const weir::dataplane::PacketTemplate& size,
                                              FrameArray& frames, uint32_t sequence) {
  for (size_t i = 0; i < kFrames; i += weir::dataplane::kTxSaturatedBurst) {
    weir::dataplane::MakeRun(size, frames.mbufs() + i, weir::dataplane::kTxSaturatedBurst,
                             sequence + i, kSentNs - sequence);
  }
}

// One flow in order with its delay histogram.
extern "C" [[gnu::noinline]] void TrackPackets(const weir::dataplane::FlowSlots& slots,
                                               FrameArray& frames,
                                               weir::dataplane::RxDrops& drops) {
  rte_mbuf* punted[weir::dataplane::kRxBurst];
  for (size_t at = 0; at < kFrames; at += weir::dataplane::kRxBurst) {
    weir::dataplane::MeasureBurst(frames.mbufs() + at, weir::dataplane::kRxBurst, 0, slots, kNowNs,
                                  &drops, punted);
  }
}

int main() {
  FrameArray frames(kFrames);
  const weir::dataplane::PacketTemplate size(SenderSpec(18), 18, kSenderMac, kReceiverMac, 0);
  auto histogram = std::make_unique<weir::shm::LogHistogram>();
  weir::dataplane::FlowSlots slots(2);
  weir::dataplane::RxFlow& flow = slots.OpenRx(1, ReceiverSpec(), 0, histogram.get());
  weir::dataplane::RxDrops drops;
  for (size_t i = 0; i < kFrames; ++i) size.Prepare(frames.mbuf(i));  // Every buffer is warm.
  for (uint32_t round = 0; round < kRounds; ++round) {
    FillPackets(size, frames, round * kFrames);
    TrackPackets(slots, frames, drops);
  }
  auto cell = std::make_unique<weir::shm::RxCell>();
  flow.PublishTo(*cell);
  weir::shm::RxCounters counters{};
  if (!cell->cell.Load(&counters) || counters.packets != kFrames * kRounds ||
      counters.lost() + counters.duplicated + drops.unknown != 0) {
    std::fprintf(stderr, "bench-instructions: the packets were not all tracked\n");
    return EXIT_FAILURE;
  }
  std::printf("{\"packets\": %zu}\n", kFrames * kRounds);
  return EXIT_SUCCESS;
}
