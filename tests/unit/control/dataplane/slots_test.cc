#include "control/dataplane/slots.h"

#include <gtest/gtest.h>

#include <set>

namespace weir::control {
namespace {

TEST(SlotAllocator, HandsOutEachSlotOnceWithAGeneration) {
  SlotAllocator slots;
  slots.Resize(4);
  const auto taken = slots.Allocate(4);
  ASSERT_TRUE(taken.ok());
  std::set<uint32_t> different;
  for (const FlowSlot& slot : *taken) {
    EXPECT_NE(slot.generation, 0u);
    EXPECT_LT(slot.slot, 4u);
    different.insert(slot.slot);
  }
  EXPECT_EQ(different.size(), 4u);
  EXPECT_TRUE(absl::IsResourceExhausted(slots.Allocate(1).status()));
}

TEST(SlotAllocator, TakesAllOrNone) {
  SlotAllocator slots;
  slots.Resize(3);
  EXPECT_FALSE(slots.Allocate(4).ok());
  EXPECT_TRUE(slots.Allocate(3).ok());
}

TEST(SlotAllocator, RaisesTheGenerationWithEachUse) {
  SlotAllocator slots;
  slots.Resize(1);
  uint32_t last = 0;
  for (int i = 0; i < 10; ++i) {
    const auto taken = slots.Allocate(1);
    ASSERT_TRUE(taken.ok());
    EXPECT_GT((*taken)[0].generation, last);
    last = (*taken)[0].generation;
    slots.Free(*taken);
  }
}

TEST(SlotAllocator, RestsASlotAsLongAsItCan) {
  SlotAllocator slots;
  slots.Resize(3);
  const auto first = slots.Allocate(1);
  slots.Free(*first);
  EXPECT_NE((*slots.Allocate(1))[0].slot, (*first)[0].slot);
}

TEST(SlotAllocator, IgnoresAFreeOfAnEarlierUse) {
  SlotAllocator slots;
  slots.Resize(1);
  const auto first = slots.Allocate(1);
  slots.Free(*first);
  const auto second = slots.Allocate(1);
  slots.Free(*first);
  EXPECT_FALSE(slots.Allocate(1).ok());
  slots.Free(*second);
  EXPECT_TRUE(slots.Allocate(1).ok());
}

TEST(SlotAllocator, KeepsWhatIsInUseWhenADataplaneWithMoreSlotsComes) {
  SlotAllocator slots;
  slots.Resize(1);
  const auto taken = slots.Allocate(1);
  slots.Resize(2);
  const auto next = slots.Allocate(1);
  ASSERT_TRUE(next.ok());
  EXPECT_NE((*next)[0].slot, (*taken)[0].slot);
  EXPECT_FALSE(slots.Allocate(1).ok());
}

TEST(SlotAllocator, TakesARangeOrNoneOfIt) {
  SlotAllocator slots;
  slots.Resize(8);
  const auto range = slots.AllocateRange(2, 3);
  ASSERT_TRUE(range.ok());
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ((*range)[i].slot, 2 + i);
  EXPECT_TRUE(absl::IsResourceExhausted(slots.AllocateRange(4, 2).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(slots.AllocateRange(7, 2).status()));
  EXPECT_TRUE(slots.Allocate(5).ok());  // All the others, slot 5 with them.
  slots.Free(*range);
  const auto again = slots.AllocateRange(2, 3);
  ASSERT_TRUE(again.ok());
  EXPECT_GT((*again)[0].generation, (*range)[0].generation);
}

}  // namespace
}  // namespace weir::control
