#include "tests/impair/impairment.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::impair {
namespace {

TEST(Selection, NothingByDefault) {
  const Selection selection;
  for (uint64_t i = 0; i < 100; ++i) EXPECT_FALSE(selection.Contains(i));
}

TEST(Selection, EveryNthAndTheListed) {
  const Selection selection{.every = 10, .indices = {0, 7}};
  std::vector<uint64_t> chosen;
  for (uint64_t i = 0; i < 30; ++i) {
    if (selection.Contains(i)) chosen.push_back(i);
  }
  EXPECT_EQ(chosen, (std::vector<uint64_t>{0, 7, 9, 19, 29}));
}

// Packets 0..count-1 through a HoldBack that holds the selected ones.
std::vector<int> Order(int count, const Selection& held, uint32_t distance) {
  HoldBack<int> hold_back(distance);
  std::vector<int> order;
  for (int i = 0; i < count; ++i) {
    if (held.Contains(i)) {
      hold_back.Hold(i);
      continue;
    }
    order.push_back(i);
    for (bool passed = true;; passed = false) {
      const auto released = hold_back.Release(passed);
      if (!released) break;
      order.push_back(*released);
    }
  }
  while (const auto left = hold_back.Flush()) order.push_back(left->packet);
  return order;
}

TEST(HoldBack, AdjacentSwap) {
  EXPECT_EQ(Order(5, {.indices = {1}}, 1), (std::vector<int>{0, 2, 1, 3, 4}));
}

TEST(HoldBack, ByDistance) {
  EXPECT_EQ(Order(7, {.indices = {1}}, 3), (std::vector<int>{0, 2, 3, 4, 1, 5, 6}));
}

TEST(HoldBack, NeighboursKeepTheirOrder) {
  EXPECT_EQ(Order(6, {.indices = {1, 2}}, 2), (std::vector<int>{0, 3, 4, 1, 2, 5}));
}

TEST(HoldBack, FlushedAtTheEnd) {
  EXPECT_EQ(Order(4, {.indices = {3}}, 1), (std::vector<int>{0, 1, 2, 3}));
}

TEST(HoldBack, FlushTellsWhatWasOvertaken) {
  HoldBack<int> hold_back(2);
  hold_back.Hold(0);
  EXPECT_FALSE(hold_back.Release(true).has_value());
  hold_back.Hold(2);
  const auto first = hold_back.Flush();
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(first->overtaken);
  const auto second = hold_back.Flush();
  ASSERT_TRUE(second.has_value());
  EXPECT_FALSE(second->overtaken);
}

}  // namespace
}  // namespace weir::impair
