// Sessions between two real nodes: both roles, all ways to end, one record a direction.
#include "tests/ipc/nodes.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

namespace weir::test {
namespace {

namespace ms = measurement::v1;
using record::v1::DOWN;
using record::v1::UP;
using Clock = std::chrono::steady_clock;

constexpr char kOpen[] = R"(
  profile: "lab"
  admission { name: "slow" effect: ALLOW match { experiment: "slow" } limit { rate_bps: 5000000 duration_ms: 2000 } }
  admission { name: "bench" effect: ALLOW limit { allow_rate_max: true } }
  export { name: "all" effect: ALLOW address: "netblock" release_class: "operator_only" }
)";

class NodesTest : public testing::Test {
 protected:
  NodesTest() : server_(directory_, 1, kOpen), client_(directory_, 2, kOpen) {
    server_.StartDataplane();
    EXPECT_TRUE(Eventually([this] { return server_.Log().find("ready") != std::string::npos; }))
        << server_.Log();
    client_.StartDataplane();
    server_.StartControl();
    client_.StartControl();
    EXPECT_TRUE(server_.Ready()) << server_.Log();
    EXPECT_TRUE(client_.Ready()) << client_.Log();
  }
  void TearDown() override {
    if (HasFailure()) std::cerr << "server:\n" << server_.Log() << "client:\n" << client_.Log();
  }

  // A test in the background that runs for `seconds`, once packets flow.
  void Begin(const std::vector<record::v1::Direction>& directions, uint64_t seconds) {
    ms::RunTestRequest request = TestOf(server_, directions);
    request.mutable_parameters()->set_duration_ns(seconds * 1'000'000'000);
    context_.emplace();
    thread_ = std::thread([this, request] { run_ = RunTest(client_, request, &*context_); });
    EXPECT_TRUE(Eventually([this] {
      const auto sessions = server_.Sessions();
      return !sessions.empty() && sessions[0].state() == "running";
    }));
    // The server's port saw some of each direction's load, which a few signals are not.
    EXPECT_TRUE(Eventually([&] {
      grpc::ClientContext context;
      ms::NodeInfo node;
      if (!server_.admin().GetNode(&context, {}, &node).ok() || node.ports_size() != 1)
        return false;
      return std::all_of(
          directions.begin(), directions.end(), [&](record::v1::Direction direction) {
            return (direction == DOWN ? node.ports(0).tx_packets() : node.ports(0).rx_packets()) >
                   500;
          });
    }));
  }
  const TestRun& End() {
    thread_.join();
    return run_;
  }
  // One record a direction of the newest session, all with this end.
  void ExpectRecords(TestNode& node, size_t directions, const std::string& end_reason) {
    EXPECT_TRUE(Eventually([&] { return node.Records().size() == directions; }));
    for (const record::v1::Record& record : node.Records()) {
      EXPECT_EQ(record.end_reason(), end_reason);
      EXPECT_EQ(record.client().value(), "192.0.2.0/24");
      EXPECT_EQ(record.outcome(),
                end_reason == "duration" ? record::v1::COMPLETED : record::v1::ABORTED);
    }
  }

  ScratchDirectory directory_;
  TestNode server_;
  TestNode client_;
  std::optional<grpc::ClientContext> context_;  // Good for one call.
  std::thread thread_;
  TestRun run_;
};

TEST_F(NodesTest, EachDirectionAndBothAtOnce) {
  for (const auto& directions : {std::vector{DOWN}, std::vector{UP}, std::vector{DOWN, UP}}) {
    ms::RunTestRequest request = TestOf(server_, directions);
    request.mutable_parameters()->set_streams(directions.size() == 2 ? 3 : 1);
    request.add_metadata()->set_key("access");
    request.mutable_metadata(0)->set_value("memory");
    request.mutable_parameters()->set_ip_version(directions[0] == UP ? 6 : 4);
    const TestRun run = RunTest(client_, request);
    ASSERT_NE(run.result(), nullptr) << run.updates.back().ShortDebugString();
    EXPECT_TRUE(run.updates[1].has_server());
    EXPECT_TRUE(run.SawState("running"));
    EXPECT_EQ(run.result()->outcome(), record::v1::COMPLETED);
    ASSERT_EQ(run.result()->results_size(), static_cast<int>(directions.size()));
    for (const record::v1::DirectionResult& result : run.result()->results()) {
      EXPECT_GT(result.sent(), 0u);
      EXPECT_GT(result.sent() + result.unsent(), 1000u);  // What was due.
      EXPECT_EQ(result.received() + result.lost(), result.sent());
      EXPECT_EQ(result.one_way_delay().samples(), result.received());
      EXPECT_TRUE(result.one_way_delay().clocks_synchronised());
      EXPECT_GE(result.intervals_size(), 1);
      uint64_t received = 0;
      uint64_t sent = 0;
      for (const record::v1::Interval& interval : result.intervals()) {
        received += interval.received();
        sent += interval.sent();
      }
      EXPECT_EQ(received, result.received());
      EXPECT_EQ(sent, result.sent());
    }
    // Both nodes stored what the person saw.
    for (TestNode* node : {&server_, &client_}) {
      for (int i = 0; i < run.result()->results_size(); ++i) {
        grpc::ClientContext context;
        ms::GetRecordRequest get;
        get.set_record_id(run.result()->record_ids(i));
        ms::GetRecordReply reply;
        ASSERT_TRUE(node->admin().GetRecord(&context, get, &reply).ok());
        EXPECT_EQ(reply.record().metadata(0).value(), "memory");
        EXPECT_EQ(reply.record().result().SerializeAsString(),
                  run.result()->results(i).SerializeAsString());
      }
    }
  }
  // The result is there for who knows the session's id.
  grpc::ClientContext context;
  ms::GetResultRequest get;
  get.set_session_id(server_.Sessions()[0].session_id());
  ms::GetResultReply reply;
  ASSERT_TRUE(server_.PublicApi()->GetResult(&context, get, &reply).ok());
  EXPECT_EQ(reply.state(), "exported");
  EXPECT_EQ(reply.results_size(), 2);
}

TEST_F(NodesTest, ARuleReducesTheRateAndRefusesTheRest) {
  ms::RunTestRequest request = TestOf(server_, {DOWN});
  request.set_experiment("slow");
  // Who limited a test is only worth asking of one that had the CPUs it needed.
  TestRun run;
  size_t runs = 0;
  for (bool met = false; !met && runs < 8; ++runs) {
    run = RunTest(client_, request);
    ASSERT_NE(run.result(), nullptr);
    EXPECT_EQ(run.result()->granted(0).parameters().rate_bps(), 5'000'000u);
    const record::v1::DirectionResult& result = run.result()->results(0);
    met = result.achieved_ip_bps() >= 0.99 * 5e6 && result.unsent() * 10 < result.sent();
  }
  EXPECT_EQ(run.result()->results(0).limit(), record::v1::LIMIT_POLICY);
  EXPECT_NE(run.result()->results(0).limit_detail().find("slow"), std::string::npos);

  request.mutable_parameters()->set_duration_ns(3'000'000'000);
  run = RunTest(client_, request);
  ASSERT_NE(run.rejection(), nullptr);
  EXPECT_EQ(run.rejection()->rule(), "slow");
  EXPECT_EQ(run.rejection()->contact(), "noc@example.net");
  EXPECT_NE(run.rejection()->field().find("duration_ns"), std::string::npos);
  EXPECT_EQ(server_.Records().size(), runs);  // A refusal leaves no session behind.
}

TEST_F(NodesTest, WhatThisNodeCannotDoIsRefusedHere) {
  ms::RunTestRequest request = TestOf(server_, {DOWN});
  request.mutable_parameters()->set_rate_bps(0);
  TestRun run = RunTest(client_, request);
  ASSERT_NE(run.failure(), nullptr);
  EXPECT_EQ(run.failure()->kind(), ms::TestFailure::BAD_REQUEST);
  EXPECT_NE(run.failure()->field().find("rate_bps"), std::string::npos);

  request = TestOf(server_, {DOWN});
  request.set_port("nowhere");
  run = RunTest(client_, request);
  ASSERT_NE(run.failure(), nullptr) << run.updates.back().ShortDebugString();
  EXPECT_EQ(run.failure()->field(), "port");

  request = TestOf(server_, {DOWN});
  request.mutable_parameters()->mutable_payload(0)->set_udp_payload_bytes(5000);
  run = RunTest(client_, request);
  ASSERT_NE(run.rejection(), nullptr) << run.updates.back().ShortDebugString();
  EXPECT_EQ(run.rejection()->rule(), "mtu");
  EXPECT_NE(run.rejection()->message().find("this node"), std::string::npos);
}

TEST_F(NodesTest, AServerThatIsNotThere) {
  ms::RunTestRequest request = TestOf(server_, {DOWN});
  request.mutable_remote()->set_address("127.0.0.1:1");
  const TestRun run = RunTest(client_, request);
  ASSERT_NE(run.failure(), nullptr);
  EXPECT_EQ(run.failure()->kind(), ms::TestFailure::UNREACHABLE);
  EXPECT_NE(run.failure()->message().find("127.0.0.1:1"), std::string::npos);
}

TEST_F(NodesTest, AClientOfAnotherVersionIsToldBoth) {
  ms::NegotiateRequest request;
  request.set_protocol_version(7);
  grpc::ClientContext context;
  ms::NegotiateReply reply;
  ASSERT_TRUE(server_.PublicApi()->Negotiate(&context, request, &reply).ok());
  EXPECT_EQ(reply.rejection().stage(), "protocol");
  EXPECT_NE(reply.rejection().message().find('7'), std::string::npos);
  EXPECT_NE(reply.rejection().message().find('1'), std::string::npos);
}

TEST_F(NodesTest, RunWantsASessionAndStartFirst) {
  const auto api = server_.PublicApi();
  {
    grpc::ClientContext context;
    auto stream = api->Run(&context);
    ms::RunRequest request;
    request.mutable_start()->set_session_id("01a20c6d-d593-7e8d-9e78-14615cefe076");
    stream->Write(request);
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
  }
  grpc::ClientContext context;
  auto stream = api->Run(&context);
  ms::RunRequest request;
  request.mutable_stop();
  stream->Write(request);
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(NodesTest, AGrantNobodyStartsEndsInARecord) {
  ms::NegotiateRequest request;
  request.set_protocol_version(1);
  ms::DirectionRequest* direction = request.add_directions();
  direction->set_direction(UP);
  *direction->mutable_parameters() = TestOf(server_, {UP}).parameters();
  ms::FlowEnd* end = request.add_client_ends();
  end->set_direction(UP);
  end->set_ip("192.0.2.2");
  end->set_udp_port(50000);
  end->set_generation(1);
  grpc::ClientContext context;
  ms::NegotiateReply reply;
  ASSERT_TRUE(server_.PublicApi()->Negotiate(&context, request, &reply).ok());
  ASSERT_TRUE(reply.has_grant()) << reply.ShortDebugString();
  EXPECT_EQ(reply.grant().session_key().size(), 32u);
  EXPECT_EQ(reply.grant().record_ids(0), reply.grant().session_id() + "-up");
  EXPECT_TRUE(Eventually([this] { return server_.Records().size() == 1; }));
  // Nobody answers its HELLOs either: whichever it notices first.
  EXPECT_EQ(server_.Records()[0].outcome(), record::v1::ABORTED);
}

TEST_F(NodesTest, ATestThatIsCancelledStopsAtOnceOnBothSides) {
  Begin({UP}, 20);
  const Clock::time_point since = Clock::now();
  context_->TryCancel();
  End();
  EXPECT_TRUE(Eventually([this] { return server_.Sessions()[0].state() == "aborted"; }));
  EXPECT_LT(Clock::now() - since, std::chrono::seconds(2));
  ExpectRecords(server_, 1, "cancelled");
  ExpectRecords(client_, 1, "cancelled");
}

TEST_F(NodesTest, AClientThatIsKilledEndsTheSessionSoon) {
  Begin({DOWN, UP}, 20);
  const Clock::time_point since = Clock::now();
  client_.control->Signal(SIGKILL);
  EXPECT_TRUE(Eventually([this] { return server_.Sessions()[0].state() == "aborted"; }));
  EXPECT_LT(Clock::now() - since, std::chrono::milliseconds(2500));
  End();
  ExpectRecords(server_, 2, "peer_lost");
}

TEST_F(NodesTest, AClientThatIsStoppedEndsTheSessionSoon) {
  Begin({DOWN}, 20);
  const Clock::time_point since = Clock::now();
  client_.control->Signal(SIGSTOP);
  EXPECT_TRUE(Eventually([this] { return server_.Sessions()[0].state() == "aborted"; }));
  EXPECT_LT(Clock::now() - since, std::chrono::milliseconds(4000));
  client_.control->Signal(SIGCONT);
  End();
  EXPECT_EQ(server_.Records().size(), 1u);
}

TEST_F(NodesTest, ARestartedControlExportsWhatItLeftOnce) {
  Begin({DOWN, UP}, 20);
  server_.control->Signal(SIGKILL);
  EXPECT_EQ(End().result()->end_reason(), "peer_lost");
  server_.control.reset();
  server_.StartControl();
  ASSERT_TRUE(server_.Ready());
  ExpectRecords(server_, 2, "control_restarted");
  for (const record::v1::Record& record : server_.Records()) {
    EXPECT_GT(record.result().sent() + record.result().received(), 0u);
  }
  // And it serves again.
  EXPECT_NE(RunTest(client_, TestOf(server_, {DOWN})).result(), nullptr);
  EXPECT_EQ(server_.Records().size(), 3u);
}

// Around the commit of a record, and each point is hit.
TEST_F(NodesTest, AControlKilledAsItRecordsRecordsOnce) {
  size_t expected = 0;
  for (const char* failpoint : {"store.recording", "store.recorded"}) {
    server_.control.reset();
    setenv("WEIR_FAILPOINT", failpoint, 1);
    server_.StartControl();
    unsetenv("WEIR_FAILPOINT");
    ASSERT_TRUE(server_.Ready()) << server_.Log();
    RunTest(client_, TestOf(server_, {DOWN}));
    const int status = server_.control->Wait(60);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << failpoint << ": not hit";
    server_.StartControl();
    ASSERT_TRUE(server_.Ready()) << server_.Log();
    ++expected;
    EXPECT_TRUE(Eventually([&] { return server_.Records().size() == expected; })) << failpoint;
  }
  EXPECT_EQ(server_.Records().size(), expected);
}

TEST_F(NodesTest, ADataplaneThatDiesEndsInItsLastSnapshot) {
  Begin({UP}, 20);
  server_.dataplane->Signal(SIGKILL);
  End();
  // The client's dataplane loses its port by it, and tells: either news may be the first.
  ASSERT_TRUE(Eventually([this] { return server_.Records().size() == 1; }));
  const std::string reason = server_.Records()[0].end_reason();
  EXPECT_TRUE(reason == "dataplane_lost" || reason == "port_down") << reason;
  ExpectRecords(server_, 1, reason);
  EXPECT_GT(server_.Records()[0].result().received(), 0u);
  // Without it, everybody is told why.
  const TestRun run = RunTest(client_, TestOf(server_, {UP}));
  EXPECT_EQ(run.result(), nullptr);
}

TEST_F(NodesTest, TheFirstSignalDrainsTheSecondExits) {
  Begin({DOWN}, 5);
  const auto draining = [this] {
    return Eventually([this] {
      grpc::ClientContext context;
      ms::NodeInfo node;
      return server_.admin().GetNode(&context, {}, &node).ok() && node.draining();
    });
  };
  server_.control->Signal(SIGTERM);
  EXPECT_TRUE(draining());
  const TestRun refused = RunTest(client_, TestOf(server_, {DOWN}));
  ASSERT_NE(refused.rejection(), nullptr);
  EXPECT_EQ(refused.rejection()->rule(), "draining");
  const TestRun& run = End();
  ASSERT_NE(run.result(), nullptr);
  EXPECT_EQ(run.result()->outcome(), record::v1::COMPLETED);
  EXPECT_EQ(server_.control->Wait(), 0);

  server_.StartControl();
  ASSERT_TRUE(server_.Ready());
  Begin({DOWN}, 20);
  server_.control->Signal(SIGTERM);
  EXPECT_TRUE(draining());
  server_.control->Signal(SIGTERM);
  const int status = server_.control->Wait();
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
  End();
}

TEST_F(NodesTest, APolicyIsReloadedUnderARunningSession) {
  const auto digest = [this] {
    grpc::ClientContext context;
    ms::NodeInfo node;
    EXPECT_TRUE(server_.admin().GetNode(&context, {}, &node).ok());
    return node.server().policy_digest();
  };
  const std::string before = digest();
  Begin({DOWN}, 2);
  server_.WritePolicy(
      "profile: 'lab' admission { name: 'closed' effect: DENY reason: 'closed for repairs' }");
  server_.control->Signal(SIGHUP);
  EXPECT_TRUE(Eventually([&] { return digest() != before; })) << server_.Log();
  // The new policy keeps no record of anybody; this session keeps the one it was admitted under.
  const TestRun& run = End();
  ASSERT_NE(run.result(), nullptr) << run.updates.back().ShortDebugString();
  EXPECT_EQ(run.result()->outcome(), record::v1::COMPLETED);
  ExpectRecords(server_, 1, "duration");
  EXPECT_EQ(server_.Records()[0].policy_digest(), before);

  const TestRun refused = RunTest(client_, TestOf(server_, {DOWN}));
  ASSERT_NE(refused.rejection(), nullptr);
  EXPECT_EQ(refused.rejection()->rule(), "closed");

  const std::string after = digest();
  server_.WritePolicy("profile: 'lab' admission { name: 'open' effect: ALLOW }");
  ms::ReloadPolicyReply reply;
  grpc::ClientContext context;
  ASSERT_TRUE(server_.admin().ReloadPolicy(&context, {}, &reply).ok());
  EXPECT_EQ(reply.result(), ms::ReloadPolicyReply::KEPT_LAST_GOOD);
  ASSERT_EQ(reply.errors_size(), 1);
  EXPECT_NE(reply.errors(0).find("no export rule allows a record"), std::string::npos);
  EXPECT_EQ(digest(), after);
  EXPECT_NE(server_.Log().find("not reloaded"), std::string::npos);
}

TEST_F(NodesTest, QuotasCountWhatWasSeenAndSurviveACrash) {
  server_.WritePolicy(R"(
    profile: "lab"
    admission { name: "few" effect: ALLOW quota { scope: PREFIX tests_a_day: 2 bytes_a_day: 12000000 } }
    export { name: "all" effect: ALLOW address: "netblock" release_class: "operator_only" }
  )");
  server_.control->Signal(SIGHUP);
  EXPECT_TRUE(
      Eventually([this] { return server_.Log().find("policy: reloaded") != std::string::npos; }));
  // Killed amid its first test: that one is charged when the next process concludes it.
  Begin({DOWN}, 4);
  server_.control->Signal(SIGKILL);
  server_.control->Wait();
  End();
  server_.StartControl();
  ASSERT_TRUE(server_.Ready()) << server_.Log();
  EXPECT_TRUE(Eventually([this] { return server_.Records().size() == 1; }));
  ASSERT_TRUE(Eventually([this] {
    grpc::ClientContext context;
    ms::NodeInfo node;
    return client_.admin().GetNode(&context, {}, &node).ok() && node.sessions_active() == 0;
  }));

  ms::RunTestRequest large = TestOf(server_, {DOWN});
  large.mutable_parameters()->set_duration_ns(4'800'000'000);  // 12 MB, all of a day's.
  TestRun run = RunTest(client_, large);
  ASSERT_NE(run.rejection(), nullptr) << run.updates.back().ShortDebugString();
  EXPECT_EQ(run.rejection()->field(), "quota.prefix.bytes_a_day");
  run = RunTest(client_, TestOf(server_, {DOWN}));
  ASSERT_NE(run.result(), nullptr) << run.updates.back().ShortDebugString();
  run = RunTest(client_, TestOf(server_, {DOWN}));
  ASSERT_NE(run.rejection(), nullptr);
  EXPECT_EQ(run.rejection()->field(), "quota.prefix.tests_a_day");
  EXPECT_EQ(run.rejection()->trace().steps().rbegin()->value(), "2 today");
}

TEST_F(NodesTest, GarbageOnTheAdminSocketHurtsNobody) {
  struct stat info;
  ASSERT_EQ(stat(server_.ControlSocket().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, server_.ControlSocket().c_str());
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string garbage(10'000, '\xA5');
  send(fd, garbage.data(), garbage.size(), MSG_NOSIGNAL);
  close(fd);
  EXPECT_TRUE(server_.Ready());
}

}  // namespace
}  // namespace weir::test
