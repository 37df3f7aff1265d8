// The real weir-export on the real store, delivering to a cluster of real nats-servers.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>

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

// Seeds 1 and 2; WEIR_JETSTREAM_SEEDS=20 in the environment runs so many.
TEST_F(JetStreamTest, TheLeaderKilledLosesNothingAndDoublesNothing) {
  constexpr int kRecords = 10'000;
  KeepMany(0, kRecords);
  const char* wanted = std::getenv("WEIR_JETSTREAM_SEEDS");
  const int seeds = wanted == nullptr ? 2 : std::atoi(wanted);
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

TEST_F(JetStreamTest, WithoutAQuorumNothingIsAcknowledgedAndTheStoreHolds) {
  KeepMany(0, 200);
  const auto exporter = Start();
  ASSERT_TRUE(Delivered(200));
  cluster_->Kill(0);
  cluster_->Kill(1);
  LimitStore(uint64_t{1} << 20);
  int kept = 200;
  // At the mark no session is admitted (admission's rule store_full); those that run are recorded.
  while (!store_->Full()) {
    ASSERT_LT(kept, 20'000);
    KeepMany(kept, kept + 100);
    kept += 100;
  }
  std::string trouble;
  ASSERT_TRUE(Eventually([&] { return !(trouble = Status().trouble()).empty(); }));
  // They refuse, or cannot be reached.
  EXPECT_TRUE(absl::StrContains(trouble, "server")) << trouble;
  EXPECT_EQ(Status().delivered(), 200u);
  EXPECT_EQ(store_->RecordCount(), static_cast<uint64_t>(kept));
  cluster_->Start(0);
  cluster_->Start(1);
  ASSERT_TRUE(Delivered(static_cast<uint64_t>(kept)));
  ExpectEachOnce(static_cast<uint64_t>(kept));
  EXPECT_EQ(Status().dead(), 0u);
}

TEST_F(JetStreamTest, KilledAnywhereItDeliversExactlyOnce) {
  int kept = 0;
  for (const char* failpoint : {"export.pulled", "jetstream.stored", "jetstream.noted",
                                "export.delivered", "export.acknowledged"}) {
    KeepMany(kept, kept + 20);
    kept += 20;
    auto exporter = Start(failpoint);
    const int status = exporter->Wait(60);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << failpoint << status;
    exporter = Start();
    ASSERT_TRUE(Delivered(static_cast<uint64_t>(kept))) << failpoint;
  }
  const auto seed = std::random_device()();
  std::cout << "killed at random points, seed " << seed << "\n";
  std::mt19937 random(seed);
  KeepMany(kept, 2'000);
  for (int i = 0; i < 8; ++i) {
    const auto exporter = Start();
    std::this_thread::sleep_for(
        std::chrono::milliseconds(std::uniform_int_distribution<int>(20, 400)(random)));
    exporter->Signal(SIGKILL);
    exporter->Wait();
  }
  const auto exporter = Start();
  ASSERT_TRUE(Delivered(2'000));
  ExpectEachOnce(2'000);
}

TEST_F(JetStreamTest, AnErasureTakesTheAddressOutOfTheStream) {
  KeepMany(0, 20);
  auto exporter = Start();
  ASSERT_TRUE(Delivered(20));
  exporter.reset();
  const auto before = cluster_->ReadAll(stream_);
  uint64_t erased = 0;
  for (const char* failpoint : {"jetstream.stored", "jetstream.erased", "jetstream.noted"}) {
    const std::string id = before.at(erased).headers.at("Weir-Record");
    ASSERT_TRUE(store_->AnonymiseRecord(id, "").ok());
    ++erased;
    exporter = Start(failpoint);
    const int status = exporter->Wait(60);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << failpoint << status;
    exporter = Start();
    ASSERT_TRUE(Eventually([&] { return Status().erasures_delivered() == erased; })) << failpoint;
    exporter.reset();
  }
  exporter = Start();
  for (; erased < 20; ++erased) {
    ASSERT_TRUE(store_->AnonymiseRecord(before.at(erased).headers.at("Weir-Record"), "").ok());
  }
  ASSERT_TRUE(Eventually([&] { return Status().erasures_delivered() == 20; }));
  std::set<std::string> distinct;
  const auto after = cluster_->ReadAll(stream_);
  for (const StreamEntry& entry : after) {
    EXPECT_EQ(entry.headers.at("Weir-Kind"), "erasure") << entry.subject;
    EXPECT_TRUE(absl::EndsWith(entry.subject, ".erasure"));
    EXPECT_FALSE(absl::StrContains(entry.body, kAddress));
    EXPECT_TRUE(absl::StrContains(entry.body, R"("received":"1000")")) << "the measurement stays";
    distinct.insert(entry.headers.at("Weir-Record"));
  }
  EXPECT_EQ(after.size(), 20u);
  EXPECT_EQ(distinct.size(), 20u);
  // Nor in the stream's files, on any server.
  EXPECT_TRUE(Eventually([&] {
    for (const std::string& file : cluster_->FilesWith(kAddress)) {
      if (absl::StrContains(file, absl::StrCat("/streams/", stream_, "/"))) return false;
    }
    return true;
  }));
}

TEST_F(JetStreamTest, WhatTheServersLostIsDeliveredAgain) {
  Deliver("archive", stream_, "recheck_after_s: 600");
  const std::string lost = Keep(1), kept = Keep(2), erased = Keep(3);
  auto exporter = Start();
  ASSERT_TRUE(Delivered(3));
  ASSERT_TRUE(store_->AnonymiseRecord(erased, "").ok());
  ASSERT_TRUE(Eventually([&] { return Status().erasures_delivered() == 1; }));
  exporter.reset();
  // As if the leader had lost its power before it synced.
  ASSERT_TRUE(cluster_->Lose(stream_, absl::StrCat(stream_, ".", lost)));
  ASSERT_TRUE(cluster_->Lose(stream_, absl::StrCat(stream_, ".", erased, ".erasure")));
  Deliver("archive", stream_, "recheck_after_s: 1");
  for (const char* failpoint : {"export.lost", "export.reopened"}) {
    exporter = Start(failpoint);
    const int status = exporter->Wait(60);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << failpoint << status;
  }
  exporter = Start();
  ASSERT_TRUE(Eventually([&] { return cluster_->Count(stream_) == 3; }));
  ASSERT_TRUE(Delivered(3));
  std::map<std::string, std::string> bodies;
  for (const StreamEntry& entry : cluster_->ReadAll(stream_)) {
    bodies[entry.headers.at("Weir-Record")] = entry.body;
  }
  ASSERT_EQ(bodies.size(), 3u);
  EXPECT_TRUE(absl::StrContains(bodies[lost], kAddress));
  EXPECT_TRUE(absl::StrContains(bodies[kept], kAddress));
  EXPECT_FALSE(absl::StrContains(bodies[erased], kAddress));
  EXPECT_TRUE(absl::StrContains(bodies[erased], R"("received":"1000")"));
  const auto audited = store_->ListAudit({.event = "delivery_lost"});
  ASSERT_EQ(audited->size(), 1u);
  EXPECT_EQ(audited->front().count, 3) << "a record; an erasure, and the record it carried";
}

TEST_F(JetStreamTest, AStreamSetUpOtherwiseIsLeftAlone) {
  Keep(1);
  const std::string subject = stream_ + ".*";
  const char* subjects[] = {subject.c_str()};
  jsStreamConfig settings;
  jsStreamConfig_Init(&settings);
  settings.Name = stream_.c_str();
  settings.Subjects = subjects;
  settings.SubjectsLen = 1;
  ASSERT_TRUE(cluster_->Create(settings));
  const auto exporter = Start();
  ASSERT_TRUE(Eventually([&] { return !Status().trouble().empty(); }));
  for (const std::string& said :
       {absl::StrCat("stream \"", stream_, "\" is not as this destination needs it"),
        absl::StrCat("subjects is ", subject, ", must be ", subject, ",", subject, ".erasure"),
        std::string("num_replicas is 1, must be 3"), std::string("discard is old, must be new"),
        std::string("max_msgs_per_subject is -1, must be 1"),
        std::string("discard_new_per_subject is false, must be true"),
        std::string("jetstream.stream")}) {
    EXPECT_TRUE(absl::StrContains(Status().trouble(), said)) << said << "\n" << Status().trouble();
  }
  EXPECT_FALSE(absl::StrContains(Status().trouble(), "storage"));
  EXPECT_EQ(cluster_->Count(stream_), 0u);
  cluster_->Remove(stream_);
  ASSERT_TRUE(Delivered(1));
  ASSERT_TRUE(Eventually([&] { return Status().trouble().empty(); }));
}

TEST_F(JetStreamTest, AFullStreamTakesTheRestOnceItMayGrow) {
  constexpr int kRecords = 60;
  for (int i = 1; i <= kRecords; ++i) Keep(i);
  Deliver("archive", stream_, "max_bytes: 30000");
  auto exporter = Start();
  ASSERT_TRUE(Eventually([&] {
    return absl::StrContains(Status().trouble(), "jetstream.max_bytes reached?");
  })) << Status().trouble();
  EXPECT_GT(cluster_->Count(stream_), 0u);
  EXPECT_LT(cluster_->Count(stream_), uint64_t{kRecords});
  EXPECT_LT(Status().delivered(), uint64_t{kRecords});

  // Both say how large it may be, and one alone is not enough.
  exporter.reset();
  Deliver("archive", stream_, "max_bytes: 30000000");
  exporter = Start();
  ASSERT_TRUE(Eventually([&] {
    return absl::StrContains(Status().trouble(), "max_bytes is 30000, must be 30000000");
  })) << Status().trouble();
  ASSERT_TRUE(cluster_->SetMaxBytes(stream_, 30'000'000));
  ASSERT_TRUE(Delivered(kRecords)) << Status().trouble();
  ExpectEachOnce(kRecords);
}

TEST_F(ExporterTest, JetStreamOverTlsWithCredentials) {
  ASSERT_EQ(std::system(absl::StrCat("cd ", dir_.path(),
                                     " && openssl req -x509 -newkey ec -pkeyopt "
                                     "ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem "
                                     "-days 2 -subj /CN=localhost -addext "
                                     "subjectAltName=DNS:localhost 2>openssl.log")
                            .c_str()),
            0);
  NatsCluster server(1, absl::StrCat("authorization { users: [{user: weir, password: sesame}] }\n",
                                     "tls { cert_file: \"", dir_.File("cert.pem"),
                                     "\", key_file: \"", dir_.File("key.pem"), "\", ca_file: \"",
                                     dir_.File("cert.pem"), "\", verify: true }\n"));
  Keep(1);
  const auto configure = [&](const std::string& scheme, const std::string& tls) {
    WriteConfig(
        absl::StrCat("destination { name: 'archive' recipient: 'archive' purpose: "
                     "'publication' jetstream { ",
                     server.ServerFields(scheme), " replicas: 1 user: 'weir' password_file: '",
                     dir_.File("password"), "' ", tls, " } }"));
  };
  const std::string own = absl::StrCat("certificate_file: '", dir_.File("cert.pem"),
                                       "' key_file: '", dir_.File("key.pem"), "' ");
  const std::string trusted = absl::StrCat("ca_file: '", dir_.File("cert.pem"), "'");
  const auto says = [&](const std::string& text) {
    EXPECT_TRUE(Eventually([&] { return absl::StrContains(Status().trouble(), text); }))
        << text << ": " << Status().trouble();
  };
  // Each way to be wrong, in words, without the secret.
  configure("tls", own + trusted);
  {
    const auto exporter = Start();
    says(dir_.File("password"));
    dir_.Write("password", "open-barley\n");
    says("the NATS servers refuse the credentials");
  }
  configure("tls", own);
  {
    const auto exporter = Start();
    says("jetstream.ca_file");
  }
  configure("tls", trusted);
  {
    const auto exporter = Start();
    says("jetstream.certificate_file");
  }
  EXPECT_EQ(Status().delivered(), 0u);
  dir_.Write("password", "sesame\n");
  configure("tls", own + trusted);
  const auto exporter = Start();
  EXPECT_TRUE(Eventually([&] { return Status().delivered() == 1; })) << Status().trouble();
  EXPECT_FALSE(absl::StrContains(Log(), "sesame") || absl::StrContains(Log(), "barley"));
  EXPECT_FALSE(absl::StrContains(Log(), "127.0.0.1")) << Log();
}

TEST_F(ExporterTest, AJetStreamConfigurationThatCannotWorkIsRefused) {
  for (const auto& [jetstream, said] :
       {std::pair("", "jetstream.server: required"),
        std::pair("server: 'localhost'", "jetstream.server: nats://HOST:PORT or tls://"),
        std::pair("server: 'nats://u:secret@h'", "jetstream.server: no user or password in it"),
        std::pair("server: 'nats://h' server: 'tls://h'", "for all of them or for none"),
        std::pair("server: 'nats://h' user: 'u'", "user and password_file: both or none"),
        std::pair("server: 'nats://h' key_file: '/k'", "certificate_file and key_file: both"),
        std::pair("server: 'nats://h' ca_file: 'ca.pem'", "ca_file: an absolute path"),
        std::pair("server: 'nats://h' stream: 'a.b'", "jetstream.stream: 1 to 64"),
        std::pair("server: 'nats://h' subject: '*'", "jetstream.subject: 1 to 64"),
        std::pair("server: 'nats://h' replicas: 7", "jetstream.replicas: 1 to 5"),
        std::pair("server: 'nats://h' recheck_after_s: 90000", "recheck_after_s: 1 to 86400")}) {
    WriteConfig(
        absl::StrCat("destination { name: 'd' recipient: 'archive' purpose: 'publication' "
                     "jetstream { ",
                     jetstream, " } }"));
    const int status = Start()->Wait(60);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2) << status;
    EXPECT_TRUE(absl::StrContains(Log(), said)) << said << Log();
    EXPECT_FALSE(absl::StrContains(Log(), "secret"));
  }
}

}  // namespace
}  // namespace weir::test
