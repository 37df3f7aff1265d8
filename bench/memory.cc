// Bytes that a flow slot takes of one worker, as the kernel counts them: 65,536 flows receive, then
// as many send in the same slots, with all that is published of them. Histogram and duplicate
// window are apart.
#include <malloc.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>

#include "bench/engine_fixture.h"
#include "dataplane/counters/segment.h"
#include "dataplane/flow/flow.h"
#include "dataplane/flow/flow_slots.h"
#include "dataplane/worker/worker_config.h"
#include "shm/segment.h"

namespace weir::bench {
namespace {

constexpr uint32_t kSlots = 65'536;

// KiB of this process that are in memory, its own and shared ones.
uint64_t ResidentKib() {
  std::ifstream status("/proc/self/status");
  uint64_t sum = 0;
  std::string name;
  while (status >> name) {
    uint64_t kib;
    if ((name == "RssAnon:" || name == "RssShmem:") && status >> kib) sum += kib;
    status.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return sum;
}

// As a worker does with what it is told.
void Adopt(dataplane::ConfigExchange& configs, const dataplane::WorkerConfig& config) {
  if (!configs.Publish(config)) std::abort();
  configs.Adopt();
}

double MeasuredBytes() {
  malloc_trim(0);
  const uint64_t before = ResidentKib();
  auto segment = dataplane::Segment::Create(kSlots, 1, 1, 0, {});
  if (!segment.ok()) return 0;
  dataplane::FlowSlots slots(kSlots);
  dataplane::ConfigExchange configs;

  {
    dataplane::WorkerConfig receivers;
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
      segment->writer().status(slot).cell.Store({});
      slots.OpenRx(slot, ReceiverSpec(slot), 0, nullptr).PublishTo(segment->writer().rx(0, slot));
      receivers.rx.push_back(slot);
    }
    Adopt(configs, receivers);
  }
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    slots.Close(slot);
    slots.SetFinal(slot);
    slots.Free(slot);  // And its window.
  }
  {
    dataplane::WorkerConfig senders;
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
      const dataplane::FlowSpec spec = SenderSpec(wire::kMinUdpPayload, slot);
      const dataplane::PacketTemplate size(spec, wire::kMinUdpPayload, kSenderMac, kReceiverMac, 0);
      senders.tx.push_back(&slots.OpenTx(slot, spec, {size}, 1'000'000'000));
      senders.tx.back()->PublishTo(segment->writer().tx(slot), 0);
    }
    Adopt(configs, senders);
    Adopt(configs, senders);  // The worker has two.
  }
  malloc_trim(0);
  return static_cast<double>(ResidentKib() - before) * 1024 / kSlots;
}

}  // namespace
}  // namespace weir::bench

int main() {
  using weir::dataplane::FlowSlots;
  const double measured = weir::bench::MeasuredBytes();
  if (measured == 0) {
    std::fprintf(stderr, "bench-memory: cannot make the counter segment\n");
    return 3;
  }
  // What the main lcore keeps of a session's flow: keys, addresses, leases. No packet touches it.
  constexpr size_t kSession = sizeof(weir::dataplane::Flow);
  std::printf(
      "{\"bytes_per_slot\": %.1f, \"tx\": %zu, \"rx\": %zu, \"block_of_either\": %zu, "
      "\"shared\": %zu, \"session\": %zu}\n",
      measured, sizeof(weir::dataplane::TxFlow), sizeof(weir::dataplane::RxFlow),
      FlowSlots::kBlockBytes, sizeof(weir::shm::StatusCell) + sizeof(weir::shm::RxCell), kSession);
  return 0;
}
