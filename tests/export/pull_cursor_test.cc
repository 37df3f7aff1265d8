// Reading ahead of what is acknowledged: what is given, and how far the destination then is.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/export/exporter.h"

namespace weir::test {
namespace {

class PullCursorTest : public ExporterTest {
 protected:
  // Everything may go there but what is `withheld`.
  control::Pulled Pull(int64_t after_change, uint32_t limit = 3) {
    const auto pulled = store_->PullDeliveries(
        {.destination = "d", .terms = "t", .after_change = after_change, .limit = limit},
        [this](const control::StoredRecord& stored) {
          ++judged_;
          return !withheld_.contains(stored.standing.record_id);
        });
    EXPECT_TRUE(pulled.ok()) << pulled.status();
    EXPECT_TRUE(store_->Flush().ok());  // How far it is.
    return *pulled;
  }
  // Of a class that is never released: one change each.
  std::string Hold(int number) { return Keep(number, "bench"); }
  static std::vector<int64_t> Versions(const control::Pulled& pulled) {
    std::vector<int64_t> versions;
    for (const auto& item : pulled.items) versions.push_back(item.version);
    return versions;
  }
  void Settle(const control::Pulled& pulled) {
    std::vector<control::Delivery> deliveries;
    for (const auto& item : pulled.items) {
      deliveries.push_back({.record_id = item.stored.standing.record_id,
                            .version = item.version,
                            .tombstone = item.tombstone});
    }
    ASSERT_TRUE(store_->SettleDeliveries("d", deliveries, "d").ok());
  }
  int64_t Behind() { return store_->ListBacklogs()->at(0).behind; }

  std::set<std::string> withheld_;
  int judged_ = 0;
};

using Changes = std::vector<int64_t>;

TEST_F(PullCursorTest, GivesWhatFollowsAndTakesNothingForSettled) {
  for (int i = 1; i <= 8; ++i) Hold(i);
  const auto first = Pull(0), second = Pull(3), third = Pull(6);
  EXPECT_EQ(Versions(first), (Changes{1, 2, 3}));
  EXPECT_EQ(Versions(second), (Changes{4, 5, 6}));
  EXPECT_EQ(Versions(third), (Changes{7, 8}));
  EXPECT_EQ(first.last_change, 3);
  EXPECT_EQ(third.last_change, 8);
  EXPECT_EQ(Pull(8).last_change, 8) << "nothing is left";
  EXPECT_EQ(Behind(), 8) << "read is not delivered";
  EXPECT_EQ(Versions(Pull(0)), (Changes{1, 2, 3})) << "whoever begins anew misses nothing";
  // The second is acknowledged, the first not yet.
  Settle(second);
  Pull(6);
  EXPECT_EQ(Behind(), 8);
  Settle(first);
  Pull(8);
  EXPECT_EQ(Behind(), 2);
  EXPECT_EQ(Versions(Pull(0)), (Changes{7, 8}));
}

TEST_F(PullCursorTest, WhatMayNotGoThereHoldsNothingUp) {
  withheld_ = {Hold(1), Hold(2)};
  for (int i = 3; i <= 6; ++i) Hold(i);
  withheld_.insert(Hold(7));
  const auto first = Pull(0, 2);
  EXPECT_EQ(Versions(first), (Changes{3, 4}));
  EXPECT_EQ(Behind(), 5) << "the first two are looked past";
  Settle(first);
  judged_ = 0;
  const auto second = Pull(first.last_change, 10);
  EXPECT_EQ(Versions(second), (Changes{5, 6}));
  EXPECT_EQ(second.last_change, 7);
  EXPECT_EQ(judged_, 3) << "what is settled is not judged again";
  EXPECT_EQ(Behind(), 3);
  Settle(second);
  EXPECT_TRUE(Pull(second.last_change).items.empty());
  EXPECT_EQ(Behind(), 0);
  // Until it may: whoever begins anew gets it, under other terms.
  withheld_.clear();
  const auto again = store_->PullDeliveries({.destination = "d", .terms = "u", .limit = 10},
                                            [](const control::StoredRecord&) { return true; });
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(Versions(*again), (Changes{1, 2, 7}));
}

TEST_F(PullCursorTest, WhatChangedMeanwhileComesAsItNowIs) {
  const std::string record = Hold(1);
  Hold(2);
  const auto first = Pull(0);
  ASSERT_TRUE(store_->AnonymiseRecord(record, "").ok());
  const auto ahead = Pull(first.last_change);
  ASSERT_EQ(Versions(ahead), (Changes{3}));
  EXPECT_FALSE(ahead.items[0].tombstone) << "nobody knows yet that it has the address";
  Settle(first);
  const auto then = Pull(first.last_change);
  ASSERT_EQ(Versions(then), (Changes{3}));
  EXPECT_TRUE(then.items[0].tombstone);
}

}  // namespace
}  // namespace weir::test
