// Several batches under way to one destination: in order, none behind one that failed.
#include "control/export/delivery/delivery_run.h"

#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/export/delivery/destination_runner.h"
#include "tests/export/exporter.h"

namespace weir::test {
namespace {

using control::Copy;
using control::Encoded;
using control::Outcome;

// What an engine was asked. Outlives it; `deliveries` and `settled` are of one thread at a time.
struct Asked {
  std::atomic<int> encoded{0};
  std::atomic<int> opened{0};
  std::vector<delivery::v1::PullReply> deliveries = {};
  std::vector<Copy> settled = {};
  // Called with the number of the delivery, from 1, before it is made.
  std::function<absl::Status(int)> before = [](int) { return absl::OkStatus(); };
};

class AskedEngine final : public control::Engine {
 public:
  explicit AskedEngine(Asked* asked) : asked_(asked) {}

  const char* name() const override { return "asked"; }
  absl::Status Open() override {
    ++asked_->opened;
    return absl::OkStatus();
  }
  Encoded Encode(const delivery::v1::PullReply& batch) const override {
    ++asked_->encoded;
    Encoded encoded;
    for (const auto& item : batch.items()) encoded.push_back(item.record_id());
    return encoded;
  }
  absl::StatusOr<std::vector<Outcome>> Deliver(const delivery::v1::PullReply& batch,
                                               const Encoded& encoded) override {
    asked_->deliveries.push_back(batch);
    const int number = static_cast<int>(asked_->deliveries.size());
    if (absl::Status status = asked_->before(number); !status.ok()) return status;
    std::vector<Outcome> outcomes;
    for (int i = 0; i < batch.items_size(); ++i) {
      EXPECT_EQ(encoded[static_cast<size_t>(i)].value(), batch.items(i).record_id());
      outcomes.push_back({.version = batch.items(i).version()});
    }
    return outcomes;
  }
  void Settled(const std::vector<Copy>& copies) override {
    asked_->settled.insert(asked_->settled.end(), copies.begin(), copies.end());
  }

 private:
  Asked* const asked_;
};

class DeliveryRunTest : public ExporterTest {
 protected:
  DeliveryRunTest() {
    described_.set_name("archive");
    described_.set_engine("asked");
    described_.set_recipient("archive");
    described_.set_purpose("publication");
    control_ =
        grpc::CreateChannel("unix:" + dir_.File("export.sock"), grpc::InsecureChannelCredentials());
  }

  std::unique_ptr<control::DestinationRunner> Run(Asked* asked) {
    return std::make_unique<control::DestinationRunner>(
        described_, std::make_unique<AskedEngine>(asked), control_);
  }
  static bool ReadAhead(const Asked& asked, int batches) {
    return Eventually([&] { return asked.encoded >= batches; });
  }

  // One thread a stage, whatever this machine has.
  const tbb::global_control threads_{tbb::global_control::max_allowed_parallelism,
                                     static_cast<size_t>(control::kBatchesUnderWay)};
  delivery::v1::Destination described_;
  std::shared_ptr<grpc::Channel> control_;
};

TEST_F(DeliveryRunTest, WhatIsBehindABatchThatFailedWaitsForIt) {
  KeepMany(0, 1'000, 50);
  Asked asked;
  asked.before = [&](int number) {
    if (number != 2) return absl::OkStatus();
    EXPECT_TRUE(ReadAhead(asked, 4)) << "nothing is read ahead";
    return absl::UnavailableError("not now");
  };
  auto runner = Run(&asked);
  ASSERT_TRUE(Eventually([&] { return Status().delivered() == 1'000; }));
  runner.reset();
  EXPECT_EQ(asked.opened, 2);
  // The second, once more, is what came next; and each record in the order of its changes.
  ASSERT_GE(asked.deliveries.size(), 6u);
  EXPECT_EQ(asked.deliveries[1].items(0).record_id(), asked.deliveries[2].items(0).record_id());
  asked.deliveries.erase(asked.deliveries.begin() + 1);
  int64_t last = 0;
  std::vector<Copy> delivered;
  for (const auto& batch : asked.deliveries) {
    for (const auto& item : batch.items()) {
      EXPECT_GT(item.version(), last);
      last = item.version();
      delivered.push_back({.record_id = item.record_id()});
    }
  }
  EXPECT_EQ(delivered.size(), 1'000u);
  EXPECT_EQ(asked.settled, delivered) << "acknowledgements are in order";
}

TEST_F(DeliveryRunTest, StoppingDeliversWhatWasReadAndNoMore) {
  KeepMany(0, 2'000, 50);
  Asked asked;
  std::atomic<bool> stopping{false};
  asked.before = [&](int) {
    EXPECT_TRUE(Eventually([&] { return stopping.load(); }));
    return absl::OkStatus();
  };
  auto runner = Run(&asked);
  ASSERT_TRUE(ReadAhead(asked, control::kBatchesUnderWay));
  runner->Stop();
  stopping = true;
  runner.reset();
  EXPECT_EQ(asked.encoded, control::kBatchesUnderWay);
  EXPECT_EQ(asked.deliveries.size(), static_cast<size_t>(control::kBatchesUnderWay));
  EXPECT_EQ(Status().delivered(), 200u * control::kBatchesUnderWay);
  EXPECT_EQ(asked.settled.size(), 200u * control::kBatchesUnderWay);
}

// Else it would be delivered twice, and the erasure of what it was delivered as never.
TEST_F(DeliveryRunTest, ARecordThatChangesOnItsWayWaitsUntilThatIsOver) {
  KeepMany(0, 1'000, 50);
  Asked asked;
  std::string changed;
  asked.before = [&](int number) {
    if (number != 1) return absl::OkStatus();
    // One of the fourth batch (a record has one change), which is read: the new version is found
    // before that is delivered.
    EXPECT_TRUE(ReadAhead(asked, 4));
    const auto fourth = store_->PullDeliveries(
        {.destination = "looks", .terms = "t", .after_change = 700, .limit = 1},
        [](const control::StoredRecord&) { return true; });
    changed = fourth->items.at(0).stored.standing.record_id;
    EXPECT_TRUE(store_->AnonymiseRecord(changed, "").ok());
    return absl::OkStatus();
  };
  auto runner = Run(&asked);
  ASSERT_TRUE(Eventually([&] { return Status().erasures_delivered() == 1; }));
  runner.reset();
  std::vector<std::pair<bool, std::string>> given;  // A tombstone; the address.
  for (const auto& batch : asked.deliveries) {
    for (const auto& item : batch.items()) {
      if (item.record_id() != changed) continue;
      given.emplace_back(item.has_tombstone(), item.record().client().value());
    }
  }
  EXPECT_EQ(given,
            (std::vector<std::pair<bool, std::string>>{{false, "198.51.100.7"}, {true, ""}}));
  EXPECT_EQ(Status().delivered(), 1'000u);
}

}  // namespace
}  // namespace weir::test
