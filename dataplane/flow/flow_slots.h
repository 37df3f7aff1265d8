// What one worker keeps of its flows, by slot.
#ifndef WEIR_DATAPLANE_FLOW_FLOW_SLOTS_H_
#define WEIR_DATAPLANE_FLOW_FLOW_SLOTS_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/rx/rx_flow.h"
#include "dataplane/tx/tx_flow.h"

namespace weir::dataplane {

// A block of memory a slot, for the flow that sends or the one that receives. Blocks lie in the
// order of the slots, on huge pages where there are any:
//  - a packet's cookie says where its flow is before anything else was read, so that it can be
//    fetched ahead;
//  - a worker whose senders have their turns in that order walks through memory once a round.
// Memory is used as slots are.
//
// Each step of a slot's life has one side that may take it, and says so to the other:
//   free -> receives (main: OpenRx) -> closing (main: Close) -> final (worker: SetFinal)
//   free -> sends (main: OpenTx) -> final (worker: SetFinal)
//   final -> free (main: Free)
// A worker leaves the memory of a slot that is free or final alone.
class FlowSlots {
 public:
  // Throws std::bad_alloc.
  explicit FlowSlots(uint32_t slots);
  ~FlowSlots();
  FlowSlots(const FlowSlots&) = delete;
  FlowSlots& operator=(const FlowSlots&) = delete;

  // Main lcore. `slot` is below the number of slots.
  //
  // Of a free slot. Arguments and errors are those of the flow's constructor, and the slot is free
  // if it throws. Packets are counted from now on.
  RxFlow& OpenRx(uint32_t slot, const FlowSpec& spec, uint16_t vlan, shm::LogHistogram* histogram);
  // Sends once the worker's configuration has it.
  TxFlow& OpenTx(uint32_t slot, const FlowSpec& spec, std::vector<PacketTemplate> templates,
                 uint64_t tsc_hz);
  // Of a slot that receives: counts no more. The worker publishes the flow a last time.
  void Close(uint32_t slot) { Set(slot, State::kClosing); }
  // The worker has published the flow's last counters.
  bool IsFinal(uint32_t slot) const { return Get(slot) >= State::kReceived; }
  // Of a final slot whose worker has no configuration with it: the flow is gone.
  void Free(uint32_t slot);

  // Worker.
  //
  // Where a packet of this slot is counted. Null: nowhere; any number will do.
  RxFlow* FindRx(uint32_t slot) const {
    return slot < slots_ && Get(slot) == State::kReceives ? &rx(slot) : nullptr;
  }
  // A receiver that is to be published. Null: it has been. `*last`: SetFinal follows.
  RxFlow* FindToPublish(uint32_t slot, bool* last) const {
    const State state = Get(slot);
    *last = state == State::kClosing;
    return *last || state == State::kReceives ? &rx(slot) : nullptr;
  }
  void PrefetchToPublish(uint32_t slot) const { rx(slot).PrefetchToPublish(); }
  void SetFinal(uint32_t slot) {
    Set(slot, Get(slot) == State::kSends ? State::kSent : State::kReceived);
  }

  static constexpr size_t kBlockBytes = std::max(sizeof(RxFlow), sizeof(TxFlow));

 private:
  enum class State : uint8_t { kFree, kReceives, kClosing, kSends, kReceived, kSent };

  struct alignas(shm::kCacheLine) Block {
    std::byte bytes[kBlockBytes];
  };
  static_assert(sizeof(Block) == 4 * shm::kCacheLine);

  static Block* Reserve(uint32_t slots);
  void Destroy(uint32_t slot);

  State Get(uint32_t slot) const { return states_[slot].load(std::memory_order_acquire); }
  void Set(uint32_t slot, State state) { states_[slot].store(state, std::memory_order_release); }
  RxFlow& rx(uint32_t slot) const { return reinterpret_cast<RxFlow&>(blocks_[slot]); }
  TxFlow& tx(uint32_t slot) const { return reinterpret_cast<TxFlow&>(blocks_[slot]); }

  const uint32_t slots_;
  // By themselves: 64 to a line, they stay in the core's cache when the flows do not.
  const std::unique_ptr<std::atomic<State>[]> states_;
  Block* const blocks_;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_FLOW_FLOW_SLOTS_H_
