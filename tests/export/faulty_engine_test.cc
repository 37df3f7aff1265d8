// What delivers records, against an engine that fails, delays, writes halves and forgets.
#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <thread>

#include "control/export/delivery/destination_runner.h"
#include "control/export/delivery/engine.h"
#include "tests/export/exporter.h"

namespace weir::test {
namespace {

using control::Copy;
using control::Outcome;

// What a destination has, and what it did. Outlives the engine; thread-safe by its mutex.
struct Destination {
  std::mutex mutex;
  std::map<Copy, int64_t> held = {};  // Versions.
  std::map<std::string, int> faults = {};
  bool forgetful = false;  // Something is forgotten that weir-control does not know of yet.
  bool healthy = false;
};

class FaultyEngine final : public control::Engine {
 public:
  FaultyEngine(std::shared_ptr<Destination> destination, unsigned seed)
      : destination_(std::move(destination)), random_(seed) {}

  const char* name() const override { return "faulty"; }

  absl::Status Open() override {
    return Strikes("open", 4) ? absl::UnavailableError("closed today") : absl::OkStatus();
  }

  control::Encoded Encode(const delivery::v1::PullReply& batch) const override {
    return control::Encoded(static_cast<size_t>(batch.items_size()), "");
  }

  absl::StatusOr<std::vector<Outcome>> Deliver(const delivery::v1::PullReply& batch,
                                               const control::Encoded&) override {
    if (Strikes("fail", 6)) return absl::UnavailableError("nothing written");
    if (Strikes("delay", 6)) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const bool half = Strikes("half", 5);
    const std::lock_guard lock(destination_->mutex);
    std::vector<Outcome> outcomes;
    for (const delivery::v1::Item& item : batch.items()) {
      if (half && 2 * static_cast<int>(outcomes.size()) >= batch.items_size()) {
        return absl::UnavailableError("half of it written");
      }
      const Copy copy{.record_id = item.record_id(), .tombstone = item.has_tombstone()};
      const auto [at, fresh] = destination_->held.emplace(copy, item.version());
      outcomes.push_back({.version = at->second});
    }
    return outcomes;
  }

  // Forgets what it had acknowledged, and sees that later.
  absl::StatusOr<std::vector<Copy>> FindLost() override {
    const std::lock_guard lock(destination_->mutex);
    if (!forgotten_.empty() || !StrikesLocked("forget", 5)) return forgotten_;
    for (auto at = destination_->held.begin(); at != destination_->held.end();) {
      if (random_() % 10 == 0) {
        forgotten_.push_back(at->first);
        at = destination_->held.erase(at);
      } else {
        ++at;
      }
    }
    destination_->forgetful = !forgotten_.empty();
    return forgotten_;
  }

  void GivenAgain(const std::vector<Copy>& copies) override {
    EXPECT_EQ(copies, forgotten_);
    forgotten_.clear();
    const std::lock_guard lock(destination_->mutex);
    destination_->forgetful = false;
  }

 private:
  // One time in `n`, until the destination is well.
  bool Strikes(const std::string& fault, unsigned n) {
    const std::lock_guard lock(destination_->mutex);
    return StrikesLocked(fault, n);
  }
  bool StrikesLocked(const std::string& fault, unsigned n) {
    if (destination_->healthy || random_() % n != 0) return false;
    ++destination_->faults[fault];
    return true;
  }

  const std::shared_ptr<Destination> destination_;
  std::mt19937 random_;
  std::vector<Copy> forgotten_;
};

TEST_F(ExporterTest, WhateverAnEngineDoesItHasEachRecordInTheEnd) {
  constexpr int kRecords = 2'000;
  const unsigned seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  KeepMany(0, kRecords);
  const auto held = std::make_shared<Destination>();
  const auto control =
      grpc::CreateChannel("unix:" + dir_.File("export.sock"), grpc::InsecureChannelCredentials());
  delivery::v1::Destination described;
  described.set_name("archive");
  described.set_engine("faulty");
  described.set_recipient("archive");
  described.set_purpose("publication");
  {
    control::DestinationRunner runner(described, std::make_unique<FaultyEngine>(held, seed),
                                      control);
    ASSERT_TRUE(Eventually([&] { return Status().delivered() >= 200; }));
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(store_
                      ->AnonymiseRecord("01890000-0000-7000-8000-" + std::string(10, '0') +
                                            (i < 10 ? "0" : "1") + std::to_string(i % 10),
                                        "")
                      .ok());
    }
    ASSERT_TRUE(Eventually(
        [&] {
          const std::lock_guard lock(held->mutex);
          return held->faults.size() == 5;  // Each was seen.
        },
        120));
    {
      const std::lock_guard lock(held->mutex);
      held->healthy = true;
    }
    ASSERT_TRUE(Eventually(
        [&] {
          const std::lock_guard lock(held->mutex);
          return !held->forgetful;
        },
        120));
    ASSERT_TRUE(Eventually([&] { return Status().delivered() == kRecords; }, 120));
    ASSERT_TRUE(Eventually([&] { return Status().behind() == 0; }, 120));
  }
  int records = 0;
  for (const auto& [copy, version] : held->held) records += !copy.tombstone;
  EXPECT_EQ(records, kRecords);
  EXPECT_EQ(Status().dead(), 0u);
  // Whoever has a version from before an erasure has the erasure as well.
  for (const auto& [copy, version] : held->held) {
    const auto stored = store_->FindRecord(copy.record_id);
    ASSERT_TRUE(stored.ok());
    if (copy.tombstone || !stored->standing.erased) continue;
    EXPECT_TRUE(version > kRecords || held->held.contains({copy.record_id, true}))
        << copy.record_id << " in version " << version;
  }
}

}  // namespace
}  // namespace weir::test
