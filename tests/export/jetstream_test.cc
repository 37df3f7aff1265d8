// The real weir-export on the real store, delivering to a cluster of real nats-servers.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/export/exporter.h"
#include "tests/export/nats_cluster.h"

namespace weir::test {
namespace {

constexpr char kAddress[] = "198.51.100.7";

class JetStreamTest : public ExporterTest {
 protected:
  // Shared: an election takes seconds.
  static void SetUpTestSuite() { cluster_ = new NatsCluster; }
  static void TearDownTestSuite() {
    delete cluster_;
    cluster_ = nullptr;
  }

  // Every test has a stream, and destination, of its own.
  void SetUp() override {
    ASSERT_TRUE(Eventually([] { return cluster_->Ready(); }));
    Deliver("archive", testing::UnitTest::GetInstance()->current_test_info()->name());
  }

  void Deliver(const std::string& destination, const std::string& stream,
               const std::string& more = "recheck_after_s: 1") {
    stream_ = stream;
    WriteConfig(absl::StrCat("destination { name: '", destination,
                             "' recipient: 'archive' purpose: 'publication' jetstream { ",
                             cluster_->ServerFields(), "stream: '", stream, "' subject: '", stream,
                             "' ", more, " } }"));
  }

  bool Delivered(uint64_t count, const std::string& destination = "archive") {
    return Eventually([&] { return Status(destination).delivered() == count; }, 120);
  }

  // Each record id once, and nothing else.
  void ExpectEachOnce(uint64_t count) {
    const auto entries = cluster_->ReadAll(stream_);
    std::set<std::string> distinct;
    for (const StreamEntry& entry : entries) distinct.insert(entry.headers.at("Weir-Record"));
    EXPECT_EQ(entries.size(), count);
    EXPECT_EQ(distinct.size(), count);
  }

  static NatsCluster* cluster_;
  std::string stream_;
};

NatsCluster* JetStreamTest::cluster_ = nullptr;

TEST_F(JetStreamTest, EachRecordIsOneMessage) {
  KeepMany(0, 50);
  const std::string last = Keep(50);
  const auto exporter = Start();
  ASSERT_TRUE(Delivered(51));
  const auto entries = cluster_->ReadAll(stream_);
  ASSERT_EQ(entries.size(), 51u);
  for (const StreamEntry& entry : entries) {
    const std::string& id = entry.headers.at("Weir-Record");
    EXPECT_EQ(entry.subject, absl::StrCat(stream_, ".", id));
    EXPECT_EQ(entry.headers.at("Weir-Kind"), "record");
    EXPECT_EQ(entry.headers.at("Weir-Direction"), "down");
    EXPECT_EQ(entry.headers.at("Weir-Experiment"), "open");
    for (const auto& [name, value] : entry.headers) {
      EXPECT_FALSE(absl::StrContains(value, kAddress)) << name;
    }
    EXPECT_TRUE(absl::StrContains(entry.body, absl::StrCat(R"("record_id":")", id, "\"")));
    EXPECT_TRUE(absl::StrContains(entry.body, kAddress));
    EXPECT_TRUE(absl::StrContains(entry.body, R"("lost":"0")")) << entry.body;
  }
}

// Seeds 1 to 3; WEIR_JETSTREAM_SEEDS=20 in the environment runs so many.
TEST_F(JetStreamTest, TheLeaderKilledLosesNothingAndDoublesNothing) {
  constexpr int kRecords = 10'000;
  KeepMany(0, kRecords);
  const char* wanted = std::getenv("WEIR_JETSTREAM_SEEDS");
  const int seeds = wanted == nullptr ? 3 : std::atoi(wanted);
  for (int seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const std::string name = absl::StrCat("killed-", seed);
    Deliver(name, absl::StrCat("KILLED", seed));
    std::mt19937 random(static_cast<unsigned>(seed));
    const uint64_t kill_at = std::uniform_int_distribution<uint64_t>(1'000, 6'000)(random);
    const auto exporter = Start();
    ASSERT_TRUE(Eventually([&] { return Status(name).delivered() >= 200; }));
    const int leader = cluster_->Leader(stream_);
    ASSERT_GE(leader, 0);
    ASSERT_TRUE(Eventually([&] { return Status(name).delivered() >= kill_at; }));
    cluster_->Kill(leader);
    const uint64_t acknowledged = Status(name).delivered();
    std::cout << "seed " << seed << ": leader n" << leader << " killed, " << acknowledged
              << " acknowledged, " << kRecords - acknowledged << " outstanding\n";
    ASSERT_GE(acknowledged, 1'000u);
    ASSERT_LE(acknowledged, kRecords - 1'000u);
    cluster_->Start(leader);
    ASSERT_TRUE(Delivered(kRecords, name));
    ExpectEachOnce(kRecords);
    EXPECT_EQ(Status(name).dead(), 0u);
    cluster_->Remove(stream_);
  }
}

}  // namespace
}  // namespace weir::test
