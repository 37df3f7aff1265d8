// Which flow slots of the dataplane this controller uses, and their generations.
#ifndef WEIR_CONTROL_DATAPLANE_SLOTS_H_
#define WEIR_CONTROL_DATAPLANE_SLOTS_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace weir::control {

// One use of one slot.
struct FlowSlot {
  uint32_t slot = 0;
  uint32_t generation = 0;
  friend bool operator==(const FlowSlot&, const FlowSlot&) = default;
};

// Thread-safe. A slot comes back last in, last out, so that it rests as long as possible. Its
// generation is never 0 and rises with each use, also across restarts of this process: it is
// the larger of the last one plus one and the time in quarters of a second.
class SlotAllocator {
 public:
  // Makes slots 0..slots-1 available. Those handed out before stay handed out.
  void Resize(uint32_t slots);

  // All or none. ResourceExhausted: fewer are free.
  absl::StatusOr<std::vector<FlowSlot>> Allocate(uint32_t count);

  // These and no others, all or none. ResourceExhausted: one is in use, or there is no such slot.
  absl::StatusOr<std::vector<FlowSlot>> AllocateRange(uint32_t first, uint32_t count);

  // A use that is not the slot's present one is ignored.
  void Free(const std::vector<FlowSlot>& slots);

 private:
  struct Entry {
    uint32_t generation = 0;
    bool used = false;
  };

  FlowSlot UseLocked(uint32_t slot, uint32_t time_generation);

  std::mutex mutex_;
  uint32_t limit_ = 0;
  std::vector<Entry> entries_;  // By slot; never shrinks, so that generations are remembered.
  std::deque<uint32_t> free_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_DATAPLANE_SLOTS_H_
