#include "dataplane/rx/sequence_tracker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

namespace weir::dataplane {
namespace {

using Verdict = SequenceTracker::Verdict;

class Tracker {
 public:
  Verdict Receive(uint64_t sequence) {
    return tracker_.Track(tracker_.Extend(static_cast<uint32_t>(sequence)), disorder_);
  }
  uint64_t packets() const { return tracker_.packets(disorder_); }
  uint64_t lost() const { return disorder_.lost; }
  const Disorder& disorder() const { return disorder_; }

 private:
  SequenceTracker tracker_;
  Disorder disorder_;
};

TEST(SequenceTracker, CountsAFlowInOrder) {
  Tracker tracker;
  for (uint64_t i = 0; i < 100'000; ++i) ASSERT_EQ(tracker.Receive(i), Verdict::kInOrder);
  EXPECT_EQ(tracker.packets(), 100'000u);
  EXPECT_EQ(tracker.lost(), 0u);
  EXPECT_EQ(tracker.disorder().loss_events, 0u);
}

TEST(SequenceTracker, CountsGapsIncludingTheFirstPackets) {
  Tracker tracker;
  tracker.Receive(5);  // 0 to 4 never came.
  tracker.Receive(6);
  tracker.Receive(10);
  EXPECT_EQ(tracker.lost(), 8u);
  EXPECT_EQ(tracker.disorder().loss_events, 2u);
}

TEST(SequenceTracker, AReorderedPacketIsNoLongerLost) {
  Tracker tracker;
  tracker.Receive(0);
  tracker.Receive(2);
  EXPECT_EQ(tracker.lost(), 1u);
  EXPECT_EQ(tracker.Receive(1), Verdict::kReordered);
  EXPECT_EQ(tracker.lost(), 0u);
  EXPECT_EQ(tracker.disorder().reordered, 1u);
  EXPECT_EQ(tracker.Receive(1), Verdict::kDuplicate);
  EXPECT_EQ(tracker.Receive(2), Verdict::kDuplicate);
  EXPECT_EQ(tracker.packets(), 3u);
}

TEST(SequenceTracker, BeyondTheWindowIsLate) {
  Tracker tracker;
  tracker.Receive(1);  // 0 is missing.
  for (uint64_t i = 2; i <= HoleWindow::kWindow; ++i) tracker.Receive(i);
  EXPECT_EQ(tracker.Receive(0), Verdict::kLate);  // One older than the window.
  EXPECT_EQ(tracker.Receive(1), Verdict::kDuplicate);
  EXPECT_EQ(tracker.disorder().late, 1u);
  EXPECT_EQ(tracker.lost(), 1u);
}

TEST(SequenceTracker, AGapLongerThanTheWindow) {
  Tracker tracker;
  tracker.Receive(0);
  const uint64_t far = 3 * HoleWindow::kWindow + 17;
  EXPECT_EQ(tracker.Receive(far), Verdict::kInOrder);
  EXPECT_EQ(tracker.lost(), far - 1);
  EXPECT_EQ(tracker.Receive(far - HoleWindow::kWindow + 1), Verdict::kReordered);
  EXPECT_EQ(tracker.Receive(far - HoleWindow::kWindow), Verdict::kLate);
  EXPECT_EQ(tracker.lost(), far - 2);
}

TEST(SequenceTracker, ExtendsAcrossTheWrapOf32Bits) {
  SequenceTracker tracker;
  Disorder disorder;
  const uint64_t start = (uint64_t{1} << 32) - 3;
  tracker.Track(start - 1, disorder);
  for (uint64_t i = start; i < start + 10; ++i) {
    const uint64_t extended = tracker.Extend(static_cast<uint32_t>(i));
    ASSERT_EQ(extended, i);
    ASSERT_EQ(tracker.Track(extended, disorder), Verdict::kInOrder);
  }
  EXPECT_EQ(tracker.Extend(0xFFFFFFFF), (uint64_t{1} << 32) - 1);  // Reordered over the wrap.
}

TEST(SequenceTracker, ANumberBelowZeroIsLate) {
  Tracker tracker;
  EXPECT_EQ(tracker.Receive(0xFFFFFFFF), Verdict::kLate);
  EXPECT_EQ(tracker.lost(), 0u);
}

// Against the definitions: a set of all numbers seen.
TEST(SequenceTracker, AgreesWithASetUnderRandomImpairment) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    std::vector<uint64_t> arrivals;
    for (uint64_t i = 0; i < 20'000; ++i) {
      if (random() % 100 < 3) continue;
      arrivals.push_back(i);
      if (random() % 100 < 2) arrivals.push_back(i);
    }
    for (size_t i = 0; i + 300 < arrivals.size(); ++i) {
      if (random() % 50 == 0) std::swap(arrivals[i], arrivals[i + random() % 300]);
    }
    if (seed % 2 == 1) {  // Bursts of loss about as long as the window.
      const auto begin = arrivals.begin() + 5'000;
      arrivals.erase(begin, begin + 8'000 + random() % 400);
    }

    Tracker tracker;
    std::set<uint64_t> seen;
    uint64_t reordered = 0, duplicated = 0, late = 0, next = 0;
    for (const uint64_t sequence : arrivals) {
      Verdict expected = Verdict::kInOrder;
      if (sequence >= next) {
        next = sequence + 1;
        seen.insert(sequence);
      } else if (next - sequence > HoleWindow::kWindow) {
        expected = Verdict::kLate;
        ++late;
      } else if (seen.insert(sequence).second) {
        expected = Verdict::kReordered;
        ++reordered;
      } else {
        expected = Verdict::kDuplicate;
        ++duplicated;
      }
      ASSERT_EQ(tracker.Receive(sequence), expected) << "seed " << seed << " at " << sequence;
    }
    EXPECT_EQ(tracker.packets(), seen.size());
    EXPECT_EQ(tracker.lost(), next - seen.size());
    EXPECT_EQ(tracker.disorder().reordered, reordered);
    EXPECT_EQ(tracker.disorder().duplicated, duplicated);
    EXPECT_EQ(tracker.disorder().late, late);
  }
}

}  // namespace
}  // namespace weir::dataplane
