// The real weir-export on the real store, delivering to a spool an uploader takes files from.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "control/export/delivery/mlab_layout.h"
#include "control/export/delivery/row_schema.h"
#include "tests/export/exporter.h"

namespace weir::test {
namespace {

namespace fs = std::filesystem;

class SpoolTest : public ExporterTest {
 protected:
  SpoolTest() {
    WriteConfig(
        absl::StrCat("destination { name: 'archive' recipient: 'archive' "
                     "purpose: 'publication' ",
                     Spool("weir1"), " }"));
  }

  std::string Spool(const std::string& datatype) const {
    return absl::StrCat("spool { directory: '", dir_.File("spool"),
                        "' experiment: 'weir' datatype: '", datatype, "' }");
  }

  // What is in the spool: text by path below it.
  std::map<std::string, std::string> Files(const std::string& datatype = "weir1") const {
    std::map<std::string, std::string> files;
    const fs::path base = dir_.File("spool");
    std::error_code none;
    for (const auto& entry : fs::recursive_directory_iterator(base / "weir" / datatype, none)) {
      if (!entry.is_regular_file() || entry.path().extension() != ".json") continue;
      std::ifstream file(entry.path());
      std::ostringstream text;
      text << file.rdbuf();
      files[fs::relative(entry.path(), base).string()] = text.str();
    }
    return files;
  }

  // As M-Lab's uploader does: takes what is there and removes it.
  void Upload() {
    for (const auto& [path, text] : Files()) {
      ++uploaded_[path];
      fs::remove(fs::path(dir_.File("spool")) / path);
    }
  }

  bool Delivered(uint64_t count, const std::string& destination = "archive") {
    return Eventually([&] { return Status(destination).delivered() == count; });
  }

  std::map<std::string, int> uploaded_;  // How often each path was.
};

TEST_F(SpoolTest, WritesEachRecordAsOneValidRowWithTheAuditHead) {
  KeepMany(0, 300);
  const auto exporter = Start();
  ASSERT_TRUE(Delivered(300));
  const auto files = Files();
  EXPECT_EQ(files.size(), 300u);
  std::ifstream schema_file(dir_.File("spool/datatypes/weir1.json"));
  std::ostringstream schema_text;
  schema_text << schema_file.rdbuf();
  const auto schema = control::RowSchema::Parse(schema_text.str());
  ASSERT_TRUE(schema.ok()) << schema.status();
  for (const auto& [path, text] : files) {
    EXPECT_TRUE(control::ValidateMlabPath(path).ok()) << path;
    EXPECT_TRUE(schema->Validate(text).ok()) << schema->Validate(text) << text;
    const auto mode = fs::status(fs::path(dir_.File("spool")) / path).permissions();
    EXPECT_EQ(static_cast<int>(mode), 0644);
  }
  const std::string& first = files.begin()->second;
  EXPECT_TRUE(absl::StrContains(first, R"("address":"198.51.100.7")")) << first;
  EXPECT_TRUE(absl::StrContains(first, R"("lost":"0")")) << first;
  // The head that went with it proves later that nothing before it was changed.
  const size_t id_at = first.find(R"("audit_head":{"id":")") + 20;
  const size_t hash_at = first.find(R"("hash":")") + 8;
  const control::AuditHead head{.id = std::stol(first.substr(id_at)),
                                .hash = absl::HexStringToBytes(first.substr(hash_at, 64))};
  ASSERT_GT(head.id, 0) << first;
  EXPECT_TRUE(store_->VerifyAudit(head)->intact) << store_->VerifyAudit(head)->why;
  EXPECT_FALSE(store_->VerifyAudit({.id = head.id, .hash = std::string(32, 'x')})->intact);
  // No temporary file is left, and the copies are in the audit log.
  for (const auto& entry : fs::recursive_directory_iterator(dir_.File("spool"))) {
    EXPECT_NE(entry.path().extension(), ".tmp");
  }
  const auto audited = store_->ListAudit({.event = "delivered"});
  int64_t copies = 0;
  for (const auto& row : *audited) copies += row.count;
  EXPECT_EQ(copies, 300);
  EXPECT_EQ(audited->front().detail, "archive (spool), to archive for publication");
}

TEST_F(SpoolTest, KilledAnywhereItDeliversExactlyOnce) {
  int kept = 0;
  // Each point is hit, with an uploader that takes what is there in between.
  for (const char* failpoint : {"export.pulled", "spool.staged", "spool.noted", "spool.renamed",
                                "spool.renamed:7", "export.delivered", "export.acknowledged"}) {
    KeepMany(kept, kept + 20);
    kept += 20;
    auto exporter = Start(failpoint);
    const int status = exporter->Wait(60);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << failpoint << status;
    Upload();
    exporter = Start();
    ASSERT_TRUE(Delivered(static_cast<uint64_t>(kept))) << failpoint;
    Upload();
  }
  EXPECT_EQ(uploaded_.size(), static_cast<size_t>(kept));
  for (const auto& [path, times] : uploaded_) EXPECT_EQ(times, 1) << path;
  EXPECT_EQ(Status().dead(), 0u);
}

// The other side of it: weir-control, with the store, is what dies.
TEST_F(SpoolTest, WithWeirControlKilledAnywhereItDeliversExactlyOnce) {
  constexpr size_t kRecords = 2000;
  KeepMany(0, kRecords, 50);
  const auto exporter = Start();
  for (const char* failpoint :
       {"store.pulled", "store.settling", "store.settled", "store.pulled:2", "store.settling:2"}) {
    ASSERT_TRUE(DiesOfKill(StartControl(failpoint).get())) << failpoint << ": not hit";
    Upload();
  }
  const unsigned seed = std::random_device()();
  std::cout << "random kills: seed " << seed << "\n";
  std::mt19937 random(seed);
  for (int i = 0; i < 6; ++i) {
    fs::remove(dir_.File("export.sock"));
    const auto control = StartControl();
    // From when it serves, and weir-export comes back within a second.
    ASSERT_TRUE(Eventually([&] { return fs::exists(dir_.File("export.sock")); }));
    std::this_thread::sleep_for(
        std::chrono::milliseconds(std::uniform_int_distribution<>(0, 1500)(random)));
    control->Signal(SIGKILL);
    control->Wait();
    Upload();
  }
  auto control = StartControl();
  EXPECT_TRUE(Eventually([&] {
    Upload();
    return uploaded_.size() == kRecords;
  })) << uploaded_.size()
      << " of " << kRecords << ", seed " << seed;
  // Whatever it would deliver twice has its time: all is acknowledged before it ends.
  control->Signal(SIGTERM);
  control->Wait(60);
  TakeBack();
  Serve();
  ASSERT_TRUE(Delivered(kRecords)) << "seed " << seed;
  Upload();
  EXPECT_EQ(uploaded_.size(), kRecords);
  for (const auto& [path, times] : uploaded_) EXPECT_EQ(times, 1) << path << ", seed " << seed;
  EXPECT_EQ(Status().dead(), 0u);
}

TEST_F(SpoolTest, ThePublicGetsWhatIsReleasedAndErasuresFollow) {
  WriteConfig(absl::StrCat(
      "destination { name: 'archive' recipient: 'archive' purpose: 'publication' ", Spool("weir1"),
      " } destination { name: 'team' recipient: 'team' purpose: 'analysis' ", Spool("early"),
      " }"));
  const std::string open = Keep(1), later = Keep(2, "later");
  Keep(3, "bench");
  const auto exporter = Start();
  ASSERT_TRUE(Delivered(1));
  // Researchers of the experiment have theirs before its release, and others' when it is released.
  ASSERT_TRUE(Delivered(2, "team"));
  EXPECT_EQ(Files().size(), 1u);
  EXPECT_TRUE(absl::StrContains(Files().begin()->second, open));
  ASSERT_TRUE(store_->ReleaseRecord(later, "").ok());
  ASSERT_TRUE(Delivered(2));
  ASSERT_TRUE(store_->AnonymiseRecord(later, "").ok());
  for (const char* holder : {"archive", "team"}) {
    ASSERT_TRUE(Eventually([&] { return Status(holder).erasures_delivered() == 1; })) << holder;
  }
  int erasures = 0;
  for (const auto& [path, text] : Files()) {
    if (!absl::StrContains(path, "-erasuredown-")) continue;
    ++erasures;
    EXPECT_TRUE(absl::StrContains(text, later) && absl::StrContains(text, R"("erasure":true)"));
    EXPECT_FALSE(absl::StrContains(text, "198.51.100.7"));
  }
  EXPECT_EQ(erasures, 1);
  // What is erased before it is delivered needs none.
  StopServing();
  const std::string fresh = Keep(4);
  ASSERT_TRUE(store_->AnonymiseRecord(fresh, "").ok());
  Serve();
  ASSERT_TRUE(Delivered(3));
  EXPECT_EQ(Status().erasures_delivered(), 1u);
  EXPECT_EQ(store_->RecordCount(), 4u) << "delivery never deletes";
}

TEST_F(SpoolTest, WhatCanNeverBeDeliveredIsADeadLetter) {
  Keep(1);
  const std::string bad = Keep(2, "open", std::nan(""));
  Keep(3);
  const auto exporter = Start();
  ASSERT_TRUE(Delivered(2));
  ASSERT_TRUE(Eventually([&] { return Status().dead() == 1; }));
  delivery::v1::Status status;
  ASSERT_TRUE(service_->Describe({}, &status).ok());
  ASSERT_EQ(status.dead_letters_size(), 1);
  EXPECT_EQ(status.dead_letters(0).record_id(), bad);
  EXPECT_EQ(status.dead_letters(0).reason(), "raw.result.jitter_ns: not of type FLOAT");
  EXPECT_TRUE(store_->GetRecord(bad).ok()) << "and is kept";
  // The operator may have it tried again, which it is from then on, once.
  delivery::v1::RetryRequest request;
  request.set_destination("archive");
  request.add_record_ids("none");
  delivery::v1::RetryReply reply;
  EXPECT_TRUE(absl::IsNotFound(service_->Retry(request, &reply)));
  const std::string first_time = status.dead_letters(0).at();
  for (const std::string& id : {bad, std::string()}) {
    request.clear_record_ids();
    if (!id.empty()) request.add_record_ids(id);
    ASSERT_TRUE(Eventually([&] { return Status().dead() == 1; }));
    ASSERT_TRUE(service_->Retry(request, &reply).ok());
    EXPECT_EQ(reply.retried(), 1u);
  }
  ASSERT_TRUE(Eventually([&] { return Status().dead() == 1; }));
  status.Clear();
  ASSERT_TRUE(service_->Describe({}, &status).ok());
  EXPECT_NE(status.dead_letters(0).at(), first_time);
  EXPECT_EQ(store_->ListAudit({.event = "delivery_retried"})->size(), 2u);
  EXPECT_EQ(store_->ListAudit({.event = "delivery_refused"})->size(), 3u);
  EXPECT_EQ(Status().delivered(), 2u);
}

TEST_F(SpoolTest, WhatIsNotDeclaredIsAConfigurationError) {
  for (const auto& [recipient, purpose, said] :
       {std::tuple("nobody", "publication", "recipient \"nobody\" is not declared"),
        std::tuple("archive", "advertising", "purpose \"advertising\" is not declared")}) {
    WriteConfig(absl::StrCat("destination { name: 'd' recipient: '", recipient, "' purpose: '",
                             purpose, "' ", Spool("weir1"), " }"));
    const auto exporter = Start();
    const int status = exporter->Wait(60);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2) << status;
    EXPECT_TRUE(absl::StrContains(Log(), said)) << Log();
  }
  for (const auto& [destination, said] :
       {std::pair("name: 'd' purpose: 'p'", "recipient: required"),
        std::pair("name: 'd' recipient: 'r'", "purpose: required"),
        std::pair("name: 'd' recipient: 'r' purpose: 'p'", "engine: required"),
        std::pair("name: 'd' recipient: 'r' purpose: 'p' spool {}", "spool.experiment: required"),
        std::pair("name: 'd' recipient: 'r' porpose: 'p'", "porpose")}) {
    WriteConfig(absl::StrCat("destination { ", destination, " }"));
    const int status = Start()->Wait(60);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2) << status;
    EXPECT_TRUE(absl::StrContains(Log(), said)) << Log();
  }
}

TEST_F(SpoolTest, TroubleIsShownAndOvercome) {
  Keep(1);
  // A schema of somebody else's: nothing may be changed.
  fs::create_directories(dir_.File("spool/datatypes"));
  dir_.Write("spool/datatypes/weir1.json", R"([{"mode":"NULLABLE","name":"id","type":"INTEGER"}])");
  const auto exporter = Start();
  ASSERT_TRUE(Eventually([&] { return !Status().trouble().empty(); }));
  EXPECT_TRUE(absl::StrContains(Status().trouble(), "id: is NULLABLE INTEGER in the schema file"))
      << Status().trouble();
  EXPECT_EQ(Status().delivered(), 0u);
  fs::remove(dir_.File("spool/datatypes/weir1.json"));
  ASSERT_TRUE(Delivered(1));
  ASSERT_TRUE(Eventually([&] { return Status().trouble().empty(); }));
  // weir-control may go and come back.
  StopServing();
  Keep(2);
  Serve();
  ASSERT_TRUE(Delivered(2));
  EXPECT_EQ(Files().size(), 2u);
}

}  // namespace
}  // namespace weir::test
