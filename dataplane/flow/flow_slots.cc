#include "dataplane/flow/flow_slots.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>
#include <utility>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace weir::dataplane {
namespace {

// A sanitized build sees who touches a block without a flow.
void SetUsable([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes,
               [[maybe_unused]] bool usable) {
#ifdef __SANITIZE_ADDRESS__
  if (usable) {
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
  } else {
    ASAN_POISON_MEMORY_REGION(memory, bytes);
  }
#endif
}

}  // namespace

// No page of it is there before a flow is.
FlowSlots::Block* FlowSlots::Reserve(uint32_t slots) {
  constexpr size_t kHugePage = size_t{2} << 20;
  const size_t bytes = (slots * sizeof(Block) + kHugePage - 1) / kHugePage * kHugePage;
  void* const memory = std::aligned_alloc(kHugePage, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  madvise(memory, bytes, MADV_HUGEPAGE);  // Refused: it works without.
  SetUsable(memory, bytes, false);
  return static_cast<Block*>(memory);
}

FlowSlots::FlowSlots(uint32_t slots)
    : slots_(slots), states_(new std::atomic<State>[slots]()), blocks_(Reserve(slots)) {}

FlowSlots::~FlowSlots() {
  for (uint32_t slot = 0; slot < slots_; ++slot) Destroy(slot);
  std::free(blocks_);
}

RxFlow& FlowSlots::OpenRx(uint32_t slot, const FlowSpec& spec, uint16_t vlan,
                          shm::LogHistogram* histogram) {
  SetUsable(&blocks_[slot], sizeof(Block), true);
  RxFlow* const flow = new (&blocks_[slot]) RxFlow(spec, vlan, histogram);
  Set(slot, State::kReceives);
  return *flow;
}

TxFlow& FlowSlots::OpenTx(uint32_t slot, const FlowSpec& spec,
                          std::vector<PacketTemplate> templates, uint64_t tsc_hz) {
  SetUsable(&blocks_[slot], sizeof(Block), true);
  TxFlow* const flow = new (&blocks_[slot]) TxFlow(spec, std::move(templates), tsc_hz);
  Set(slot, State::kSends);
  return *flow;
}

void FlowSlots::Free(uint32_t slot) {
  Destroy(slot);
  SetUsable(&blocks_[slot], sizeof(Block), false);
  Set(slot, State::kFree);
}

void FlowSlots::Destroy(uint32_t slot) {
  switch (Get(slot)) {
    case State::kFree:
      return;
    case State::kSends:
    case State::kSent:
      tx(slot).~TxFlow();
      return;
    case State::kReceives:
    case State::kClosing:
    case State::kReceived:
      rx(slot).~RxFlow();
      return;
  }
}

}  // namespace weir::dataplane
