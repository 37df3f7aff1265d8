#include "control/dataplane/slots.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <chrono>

namespace weir::control {
namespace {

// Quarters of a second since 2020: 32 bits last 34 years. No slot is used more often than that,
// because it goes through the whole free list and a session in between.
uint32_t TimeGeneration() {
  constexpr int64_t kEpoch2020 = 1'577'836'800;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const int64_t quarters =
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count() / 250 - kEpoch2020 * 4;
  return static_cast<uint32_t>(std::max<int64_t>(quarters, 1));
}

}  // namespace

void SlotAllocator::Resize(uint32_t slots) {
  std::lock_guard lock(mutex_);
  if (limit_ == slots) return;
  limit_ = slots;
  if (entries_.size() < slots) entries_.resize(slots);
  free_.clear();
  for (uint32_t slot = 0; slot < slots; ++slot) {
    if (!entries_[slot].used) free_.push_back(slot);
  }
}

absl::StatusOr<std::vector<FlowSlot>> SlotAllocator::Allocate(uint32_t count) {
  std::lock_guard lock(mutex_);
  if (free_.size() < count) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the dataplane has ", free_.size(), " of ", limit_, " flow slots free, ", count,
        " are needed; wait for other tests to end, ask for fewer streams, or "
        "start weir-dataplane with a larger --flows"));
  }
  const uint32_t time_generation = TimeGeneration();
  std::vector<FlowSlot> slots;
  slots.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    slots.push_back(UseLocked(free_.front(), time_generation));
    free_.pop_front();
  }
  return slots;
}

absl::StatusOr<std::vector<FlowSlot>> SlotAllocator::AllocateRange(uint32_t first, uint32_t count) {
  std::lock_guard lock(mutex_);
  if (uint64_t{first} + count > limit_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("flow slots ", first, " to ", uint64_t{first} + count - 1,
                     " are needed, and the dataplane has ", limit_,
                     "; start weir-dataplane with a larger --flows"));
  }
  for (uint32_t slot = first; slot < first + count; ++slot) {
    if (entries_[slot].used) {
      return absl::ResourceExhaustedError(
          absl::StrCat("flow slot ", slot, " is in use by another test; wait for its end"));
    }
  }
  std::erase_if(free_, [=](uint32_t slot) { return slot >= first && slot < first + count; });
  const uint32_t time_generation = TimeGeneration();
  std::vector<FlowSlot> slots;
  for (uint32_t i = 0; i < count; ++i) slots.push_back(UseLocked(first + i, time_generation));
  return slots;
}

FlowSlot SlotAllocator::UseLocked(uint32_t slot, uint32_t time_generation) {
  Entry& entry = entries_[slot];
  entry.used = true;
  entry.generation = std::max(entry.generation + 1, time_generation);
  return {slot, entry.generation};
}

void SlotAllocator::Free(const std::vector<FlowSlot>& slots) {
  std::lock_guard lock(mutex_);
  for (const FlowSlot& use : slots) {
    if (use.slot >= entries_.size()) continue;
    Entry& entry = entries_[use.slot];
    if (!entry.used || entry.generation != use.generation) continue;
    entry.used = false;
    if (use.slot < limit_) free_.push_back(use.slot);
  }
}

}  // namespace weir::control
