#include "control/export/delivery/recheck_ledger.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

class RecheckLedgerTest : public testing::Test {
 protected:
  static RecheckLedger::Clock::time_point In(int seconds) {
    return RecheckLedger::Clock::now() + std::chrono::seconds(seconds);
  }

  const TempDir dir_;
  const std::string path_ = dir_.File("state/d.ledger");
  const Copy record_{.record_id = "a"}, erasure_{.record_id = "a", .tombstone = true};
};

TEST_F(RecheckLedgerTest, WhatWaitedLongEnoughIsDueInOrder) {
  RecheckLedger ledger(path_, std::chrono::seconds(600));
  ASSERT_TRUE(ledger.Open().ok());
  ASSERT_TRUE(ledger.Add({record_, erasure_}).ok());
  EXPECT_TRUE(ledger.Due(In(590), 10).empty());
  EXPECT_EQ(ledger.Due(In(610), 10), (std::vector<Copy>{record_, erasure_}));
  EXPECT_EQ(ledger.Due(In(610), 1), std::vector<Copy>{record_});
  ASSERT_TRUE(ledger.Add({record_}).ok());  // Waits anew, behind the other.
  EXPECT_EQ(ledger.Due(In(610), 10), (std::vector<Copy>{erasure_, record_}));
  ASSERT_TRUE(ledger.Remove({erasure_}).ok());
  EXPECT_EQ(ledger.Due(In(610), 10), std::vector<Copy>{record_});
}

TEST_F(RecheckLedgerTest, IsThereAfterACrash) {
  {
    RecheckLedger ledger(path_, std::chrono::seconds(600));
    ASSERT_TRUE(ledger.Open().ok());
    ASSERT_TRUE(ledger.Add({record_, erasure_}).ok());
    ASSERT_TRUE(ledger.Remove({record_}).ok());
  }
  std::ofstream(path_, std::ios::app) << "+ b rec";  // Killed as it wrote.
  RecheckLedger ledger(path_, std::chrono::seconds(600));
  ASSERT_TRUE(ledger.Open().ok());
  EXPECT_EQ(ledger.Due(In(610), 10), std::vector<Copy>{erasure_});
}

TEST_F(RecheckLedgerTest, DoesNotGrowWithWhatIsDone) {
  RecheckLedger ledger(path_, std::chrono::seconds(600));
  ASSERT_TRUE(ledger.Open().ok());
  for (int i = 0; i < 30'000; i += 200) {
    std::vector<Copy> copies;
    for (int j = i; j < i + 200; ++j) copies.push_back({.record_id = absl::StrCat("r", j)});
    ASSERT_TRUE(ledger.Add(copies).ok());
    ASSERT_TRUE(ledger.Remove(copies).ok());
  }
  EXPECT_LT(std::filesystem::file_size(path_), 500'000u);
}

TEST_F(RecheckLedgerTest, ADamagedOneIsNotGuessedAt) {
  std::filesystem::create_directories(dir_.File("state"));
  std::ofstream(path_) << "something else\n";
  RecheckLedger ledger(path_, std::chrono::seconds(600));
  const absl::Status status = ledger.Open();
  EXPECT_TRUE(absl::StrContains(status.message(), "damaged")) << status;
}

}  // namespace
}  // namespace weir::control
