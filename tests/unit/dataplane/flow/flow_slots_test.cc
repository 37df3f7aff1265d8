// The life of a slot, as the main lcore and a worker see it.
#include "dataplane/flow/flow_slots.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/counters/segment.h"
#include "dataplane/rx/rx_publish.h"

namespace weir::dataplane {
namespace {

constexpr uint32_t kSlots = 4096;

FlowSpec SpecOf(uint32_t slot, uint32_t generation) {
  FlowSpec spec;
  spec.slot = slot;
  spec.generation = generation;
  spec.local = {IpAddress::FromText("192.0.2.1"), 4000};
  spec.remote = {IpAddress::FromText("192.0.2.2"), 5000};
  spec.cookie = wire::MakeCookie(slot, generation);
  spec.rate_max = true;
  spec.sizes = {{wire::kMinUdpPayload, 1}};
  return spec;
}

class FlowSlotsTest : public ::testing::Test {
 protected:
  RxFlow& OpenRx(uint32_t slot, uint32_t generation) {
    return slots_.OpenRx(slot, SpecOf(slot, generation), 0, nullptr);
  }
  TxFlow& OpenTx(uint32_t slot, uint32_t generation) {
    const FlowSpec spec = SpecOf(slot, generation);
    const PacketTemplate size(spec, wire::kMinUdpPayload, {}, {}, 0);
    return slots_.OpenTx(slot, spec, {size}, 1'000'000'000);
  }
  void Publish(std::vector<uint32_t> slots) {
    PublishFlows(slots, slots_, segment_.writer(), 0, kEachHistogram);
  }
  uint32_t PublishedGeneration(uint32_t slot) const {
    shm::RxCounters counters{};
    EXPECT_TRUE(segment_.writer().rx(0, slot).cell.Load(&counters));
    return counters.generation;
  }

  FlowSlots slots_{kSlots};
  Segment segment_ = std::move(Segment::Create(kSlots, 1, 1, 0, {}).value());
};

TEST_F(FlowSlotsTest, FindsOnlyWhatReceives) {
  EXPECT_EQ(slots_.FindRx(7), nullptr);
  EXPECT_EQ(slots_.FindRx(kSlots), nullptr);
  EXPECT_EQ(slots_.FindRx(UINT32_MAX), nullptr);
  RxFlow& flow = OpenRx(7, 1);
  EXPECT_EQ(slots_.FindRx(7), &flow);
  EXPECT_EQ(slots_.FindRx(6), nullptr);
  EXPECT_EQ(slots_.FindRx(8), nullptr);
  slots_.Close(7);
  EXPECT_EQ(slots_.FindRx(7), nullptr);
  EXPECT_FALSE(slots_.IsFinal(7));
  Publish({7});
  EXPECT_TRUE(slots_.IsFinal(7));
  slots_.Free(7);
  EXPECT_FALSE(slots_.IsFinal(7));
  EXPECT_EQ(slots_.FindRx(7), nullptr);
}

// A packet with the cookie of a slot that sends belongs to nobody.
TEST_F(FlowSlotsTest, WhatSendsDoesNotReceive) {
  OpenTx(7, 1);
  EXPECT_EQ(slots_.FindRx(7), nullptr);
  EXPECT_FALSE(slots_.IsFinal(7));
  slots_.SetFinal(7);
  EXPECT_TRUE(slots_.IsFinal(7));
  slots_.Free(7);
  EXPECT_EQ(slots_.FindRx(7), nullptr);
}

// Both ends have their turns in one block of memory, in the order of the slots.
TEST_F(FlowSlotsTest, ASlotIsOneBlock) {
  RxFlow* const receiver = &OpenRx(7, 1);
  TxFlow* const next = &OpenTx(8, 1);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(next) - reinterpret_cast<uintptr_t>(receiver),
            FlowSlots::kBlockBytes);
  slots_.Close(7);
  Publish({7});
  slots_.Free(7);
  EXPECT_EQ(static_cast<void*>(&OpenTx(7, 2)), static_cast<void*>(receiver));
}

// A worker whose configuration is behind publishes nothing of a slot that is final or free, and of
// one that has a new flow that flow.
TEST_F(FlowSlotsTest, PublishesWhatIsThere) {
  OpenRx(1, 1);
  OpenRx(2, 1);
  OpenRx(3, 1);
  Publish({1, 2, 3});
  EXPECT_EQ(PublishedGeneration(1), 1u);
  for (const uint32_t slot : {1u, 2u}) slots_.Close(slot);
  Publish({1, 2, 3});
  segment_.writer().rx(0, 1).cell.Store({});
  Publish({1, 2, 3});
  EXPECT_EQ(PublishedGeneration(1), 0u);
  EXPECT_FALSE(slots_.IsFinal(3));
  slots_.Free(1);
  slots_.Free(2);
  OpenRx(2, 5);
  Publish({1, 2, 3});
  EXPECT_EQ(PublishedGeneration(1), 0u);
  EXPECT_EQ(PublishedGeneration(2), 5u);
}

// More than the publisher fetches ahead; each is final after one pass.
TEST_F(FlowSlotsTest, ClosesAll) {
  std::vector<uint32_t> all;
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    OpenRx(slot, slot + 1);
    all.push_back(slot);
  }
  for (const uint32_t slot : all) slots_.Close(slot);
  Publish(all);
  for (const uint32_t slot : all) {
    ASSERT_TRUE(slots_.IsFinal(slot)) << slot;
    ASSERT_EQ(PublishedGeneration(slot), slot + 1);
  }
}

}  // namespace
}  // namespace weir::dataplane
