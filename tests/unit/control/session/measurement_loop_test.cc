// Both roles of a run against a dataplane that speaks the real protocol and a peer the test
// plays.
#include "control/session/measurement_loop.h"

#include <gtest/gtest.h>

#include <thread>

#include "control/dataplane/dataplane.h"
#include "control/session/clock.h"
#include "control/session/secrets.h"
#include "tests/ipc/fake_dataplane.h"

namespace weir::control {
namespace {

namespace dp = dataplane::v1;
namespace ms = measurement::v1;
using record::v1::DOWN;
using record::v1::UP;
using test::Eventually;

// Keeps what the session says.
class Peer final : public PeerLink {
 public:
  void Send(PeerMessage message) override {
    std::lock_guard lock(mutex_);
    said_.push_back(std::move(message));
  }
  void Next() override {}
  void Close() override {}

  template <typename Body>
  std::vector<Body> Said() {
    std::lock_guard lock(mutex_);
    std::vector<Body> bodies;
    for (const PeerMessage& message : said_) {
      if (const Body* body = std::get_if<Body>(&message)) bodies.push_back(*body);
    }
    return bodies;
  }
  bool SaidState(const std::string& state) {
    for (const ms::Progress& progress : Said<ms::Progress>()) {
      if (progress.state() == state) return true;
    }
    return false;
  }

 private:
  std::mutex mutex_;
  std::vector<PeerMessage> said_;
};

class MeasurementLoopTest : public testing::Test {
 protected:
  MeasurementLoopTest()
      : fake_(directory_ / "dp.sock"),
        dataplane_(directory_ / "dp.sock", {.flow_event =
                                                [this](const dp::FlowInfo& flow) {
                                                  if (session_)
                                                    session_->mailbox().Post(FlowChanged{flow});
                                                },
                                            .lost =
                                                [this] {
                                                  if (session_)
                                                    session_->mailbox().Post(DataplaneLost{});
                                                }}) {
    EXPECT_TRUE(Eventually([this] { return dataplane_.RefreshPorts().ok(); }));
    parameters_.set_rate_bps(8'000'000);
    parameters_.set_duration_ns(1'000'000'000);
    parameters_.set_streams(1);
    parameters_.set_ip_version(4);
    parameters_.add_payload()->set_udp_payload_bytes(1000);
  }
  ~MeasurementLoopTest() override {
    if (session_) session_->mailbox().Post(StopAsked{"test_over"});
    if (thread_.joinable()) thread_.join();
  }

  void Start(SessionRole role, std::vector<record::v1::Direction> directions) {
    session_ = std::make_shared<Session>(Uuid::Generate(1), role, 1);
    for (const record::v1::Direction direction : directions) {
      const bool sends = (direction == DOWN) == (role == SessionRole::kServer);
      auto slots = EndSlots::Reserve(&dataplane_.slots(), direction, 1, !sends, "192.0.2.1");
      ASSERT_TRUE(slots.ok());
      slot_[direction] = slots->slots()[0];
      runs_.push_back(std::make_unique<DirectionRun>(
          std::make_unique<LocalEnd>(&dataplane_, dataplane_.ports()->connection, direction, sends,
                                     parameters_, *std::move(slots)),
          parameters_, std::vector<std::string>()));
      ms::FlowEnd peer_end;
      peer_end.set_ip("192.0.2.2");
      peer_end.set_udp_port(5);
      peer_end.set_generation(1);
      ASSERT_TRUE(runs_.back()
                      ->end()
                      .Program({.session_id = session_->id().Bytes(),
                                .session_key = NewSessionKey(),
                                .port = "data"},
                               {peer_end})
                      .ok());
    }
    std::vector<DirectionRun*> runs;
    for (const auto& run : runs_) runs.push_back(run.get());
    loop_ = std::make_unique<MeasurementLoop>(session_.get(), runs, timeouts_, ReadClockQuality(),
                                              nullptr);
    thread_ = std::thread([this, role] {
      end_ = loop_->Run(role == SessionRole::kClient ? peer_ : nullptr, ReadClockQuality());
    });
  }
  // The server's peer calls Run and says Start.
  void Attach() {
    ASSERT_TRUE(session_->Attach(peer_));
    ms::Start start;
    *start.mutable_clock() = ReadClockQuality();
    Say(start);
  }
  void Say(PeerMessage message) { session_->mailbox().Post(PeerSaid{std::move(message)}); }
  void SayState(const std::string& state) {
    ms::Progress progress;
    progress.set_state(state);
    Say(progress);
  }
  void SetFlow(record::v1::Direction direction, dp::FlowState state,
               dp::EndReason reason = dp::END_NONE) {
    fake_.SetFlow(slot_[direction].slot, state, reason);
  }
  bool Armed(record::v1::Direction direction) {
    for (const dp::FlowInfo& flow : fake_.flows()) {
      if (flow.slot() == slot_[direction].slot && flow.state() == dp::RUNNING) return true;
    }
    return false;
  }
  void Sent(record::v1::Direction direction, uint64_t packets) {
    const uint64_t now = NowUnixNs();
    fake_.segment()
        .tx(slot_[direction].slot)
        .cell.Store({.generation = slot_[direction].generation,
                     .packets = packets,
                     .bytes = packets * 1000,
                     .first_ns = now - 1'000'000'000,
                     .last_ns = now});
  }
  void Received(record::v1::Direction direction, uint64_t packets, uint64_t lost = 0) {
    const uint64_t now = NowUnixNs();
    fake_.segment()
        .rx(0, slot_[direction].slot)
        .cell.Store({.generation = slot_[direction].generation,
                     .packets = packets,
                     .bytes = packets * 1000,
                     .highest_sequence = packets + lost,
                     .first_ns = now - 1'000'000'000,
                     .last_ns = now,
                     .last_packet_bytes = 1000});
  }
  ms::SenderFinal FinalOf(record::v1::Direction direction, uint64_t packets) {
    ms::SenderFinal final;
    final.set_direction(direction);
    final.add_final_sequence(packets);
    final.set_end_reason("duration");
    final.mutable_total()->set_sent(packets);
    return final;
  }
  const MeasurementLoop::End& Ended() {
    thread_.join();
    return end_;
  }
  void ExpectAborted(const std::string& reason) {
    EXPECT_EQ(Ended().outcome, record::v1::ABORTED);
    EXPECT_EQ(end_.reason, reason);
    for (const dp::FlowInfo& flow : fake_.flows()) EXPECT_EQ(flow.state(), dp::FINISHED);
  }

  test::ScratchDirectory directory_;
  test::FakeDataplane fake_;
  std::shared_ptr<Session> session_;
  Dataplane dataplane_;
  record::v1::TestParameters parameters_;
  MeasurementLoop::Timeouts timeouts_;
  std::map<record::v1::Direction, FlowSlot> slot_;
  std::vector<std::unique_ptr<DirectionRun>> runs_;
  std::shared_ptr<Peer> peer_ = std::make_shared<Peer>();
  std::unique_ptr<MeasurementLoop> loop_;
  MeasurementLoop::End end_;
  std::thread thread_;
};

TEST_F(MeasurementLoopTest, ServerSends) {
  Start(SessionRole::kServer, {DOWN});
  Attach();
  EXPECT_TRUE(Eventually([this] { return peer_->SaidState("admitted"); }));
  EXPECT_FALSE(Armed(DOWN));
  SetFlow(DOWN, dp::PROVEN);
  EXPECT_TRUE(Eventually([this] { return peer_->SaidState("running"); }));
  EXPECT_TRUE(peer_->SaidState("proven"));
  EXPECT_TRUE(Armed(DOWN));
  Sent(DOWN, 1000);
  SetFlow(DOWN, dp::FINISHED, dp::END_DURATION);
  ASSERT_TRUE(Eventually([this] { return !peer_->Said<ms::SenderFinal>().empty(); }));
  EXPECT_EQ(peer_->Said<ms::SenderFinal>()[0].final_sequence(0), 1000u);
  EXPECT_TRUE(Eventually([this] { return peer_->SaidState("finishing"); }));
  ms::ReceiverFinal final;
  final.mutable_result()->set_direction(DOWN);
  final.mutable_result()->set_received(990);
  final.mutable_result()->set_lost(10);
  Say(final);
  EXPECT_EQ(Ended().outcome, record::v1::COMPLETED);
  EXPECT_EQ(end_.reason, "duration");
  const record::v1::DirectionResult result = runs_[0]->Result(end_.reason, true);
  EXPECT_EQ(result.sent(), 1000u);
  EXPECT_EQ(result.received(), 990u);
  EXPECT_EQ(result.lost(), 10u);
}

TEST_F(MeasurementLoopTest, ServerReceivesAndWaitsForTheLastPackets) {
  Start(SessionRole::kServer, {UP});
  Attach();
  SetFlow(UP, dp::PROVEN);
  EXPECT_TRUE(Eventually([this] { return peer_->SaidState("running"); }));
  Received(UP, 900);
  Say(FinalOf(UP, 1000));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_TRUE(peer_->Said<ms::ReceiverFinal>().empty());
  Received(UP, 1000);
  ASSERT_TRUE(Eventually([this] { return !peer_->Said<ms::ReceiverFinal>().empty(); }));
  EXPECT_EQ(Ended().outcome, record::v1::COMPLETED);
  EXPECT_EQ(peer_->Said<ms::ReceiverFinal>()[0].result().received(), 1000u);
  EXPECT_EQ(peer_->Said<ms::ReceiverFinal>()[0].result().lost(), 0u);
}

TEST_F(MeasurementLoopTest, WhatDoesNotComeForHalfASecondIsLost) {
  Start(SessionRole::kServer, {UP});
  Attach();
  SetFlow(UP, dp::PROVEN);
  EXPECT_TRUE(Eventually([this] { return peer_->SaidState("running"); }));
  Received(UP, 900, /*lost=*/5);
  Say(FinalOf(UP, 1000));
  ASSERT_TRUE(Eventually([this] { return !peer_->Said<ms::ReceiverFinal>().empty(); }));
  // 5 gaps, and 1000 - 905 after the highest.
  EXPECT_EQ(peer_->Said<ms::ReceiverFinal>()[0].result().lost(), 100u);
  EXPECT_EQ(Ended().outcome, record::v1::COMPLETED);
}

TEST_F(MeasurementLoopTest, ClientRunsBothDirectionsWhenTheServerDoes) {
  Start(SessionRole::kClient, {DOWN, UP});
  EXPECT_TRUE(Eventually([this] { return !peer_->Said<ms::Start>().empty(); }));
  SetFlow(DOWN, dp::PROVEN);
  SetFlow(UP, dp::PROVEN);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_FALSE(Armed(UP));
  SayState("running");
  ASSERT_TRUE(Eventually([this] { return Armed(UP); }));
  Sent(UP, 500);
  SetFlow(UP, dp::FINISHED, dp::END_DURATION);
  Received(DOWN, 600);
  Say(FinalOf(DOWN, 600));
  ASSERT_TRUE(Eventually([this] {
    return !peer_->Said<ms::SenderFinal>().empty() && !peer_->Said<ms::ReceiverFinal>().empty();
  }));
  ms::Completed completed;
  completed.set_outcome(record::v1::COMPLETED);
  completed.set_end_reason("duration");
  Say(completed);
  EXPECT_EQ(Ended().outcome, record::v1::COMPLETED);
  EXPECT_TRUE(loop_->clocks_synchronised());  // One host, one clock.
}

TEST_F(MeasurementLoopTest, BothReportEachSecond) {
  Start(SessionRole::kServer, {UP});
  Attach();
  SetFlow(UP, dp::PROVEN);
  EXPECT_TRUE(Eventually([this] { return peer_->SaidState("running"); }));
  Received(UP, 100);  // The first packet is said to be a second old.
  ASSERT_TRUE(Eventually([this] {
    const auto reports = peer_->Said<ms::Report>();
    return !reports.empty() && reports.back().receiver().received() == 100;
  }));
  EXPECT_EQ(runs_[0]->end().intervals().size(), 1u);
}

TEST_F(MeasurementLoopTest, AnEventThatWasLostStallsNothing) {
  Start(SessionRole::kServer, {DOWN});
  Attach();
  fake_.SetFlow(slot_[DOWN].slot, dp::PROVEN, dp::END_NONE, /*event=*/false);
  EXPECT_TRUE(Eventually([this] { return Armed(DOWN); }));
}

TEST_F(MeasurementLoopTest, NeverStarted) {
  timeouts_.start = std::chrono::milliseconds(100);
  Start(SessionRole::kServer, {DOWN});
  ExpectAborted("never_started");
}

TEST_F(MeasurementLoopTest, ATargetThatIsNeverProven) {
  timeouts_.proof = std::chrono::milliseconds(100);
  Start(SessionRole::kServer, {DOWN});
  Attach();
  ExpectAborted("proof_timeout");
  EXPECT_FALSE(peer_->SaidState("running"));
}

TEST_F(MeasurementLoopTest, AFlowThatEndsForAnotherReasonThanItsDuration) {
  Start(SessionRole::kServer, {DOWN});
  Attach();
  SetFlow(DOWN, dp::PROVEN);
  EXPECT_TRUE(Eventually([this] { return Armed(DOWN); }));
  SetFlow(DOWN, dp::FINISHED, dp::END_FEEDBACK_LOST);
  ExpectAborted("feedback_lost");
}

TEST_F(MeasurementLoopTest, AFlowThatSendsMoreThanWasAdmittedIsStopped) {
  Start(SessionRole::kServer, {DOWN});
  Attach();
  SetFlow(DOWN, dp::PROVEN);
  ASSERT_TRUE(Eventually([this] { return Armed(DOWN); }));
  Sent(DOWN, 1'000);  // All of the rate.
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(session_->state(), SessionState::kRunning);
  Sent(DOWN, 2'000);
  ExpectAborted("unusual_activity");
  ASSERT_TRUE(loop_->unusual().has_value());
  EXPECT_EQ(loop_->unusual()->trigger, ms::Notice::EGRESS_OVER_BUDGET);
}

TEST_F(MeasurementLoopTest, AStreamThatBreaks) {
  Start(SessionRole::kServer, {DOWN, UP});
  Attach();
  session_->mailbox().Post(PeerGone{});
  ExpectAborted("peer_lost");
}

TEST_F(MeasurementLoopTest, APeerThatStops) {
  Start(SessionRole::kServer, {DOWN});
  Attach();
  ms::Stop stop;
  stop.set_reason("cancelled");
  Say(stop);
  ExpectAborted("cancelled");
}

TEST_F(MeasurementLoopTest, APeerThatSaysNothing) {
  timeouts_.peer_silence = std::chrono::milliseconds(300);
  Start(SessionRole::kServer, {DOWN});
  Attach();
  SetFlow(DOWN, dp::PROVEN);
  ExpectAborted("peer_silent");
}

TEST_F(MeasurementLoopTest, APeerThatBreaksTheProtocol) {
  Start(SessionRole::kServer, {DOWN});
  Attach();
  Say(FinalOf(DOWN, 5));  // The server sends DOWN itself.
  ExpectAborted("peer_protocol");
}

TEST_F(MeasurementLoopTest, AReportOfADirectionThatIsNot) {
  Start(SessionRole::kServer, {DOWN});
  Attach();
  ms::Report report;
  report.set_direction(UP);
  Say(report);
  ExpectAborted("peer_protocol");
}

TEST_F(MeasurementLoopTest, ADataplaneThatDiesLeavesItsLastSnapshot) {
  Start(SessionRole::kServer, {UP});
  Attach();
  SetFlow(UP, dp::PROVEN);
  EXPECT_TRUE(Eventually([this] { return peer_->SaidState("running"); }));
  Received(UP, 321);
  fake_.StopAnswering();
  fake_.CloseConnection();
  EXPECT_EQ(Ended().reason, "dataplane_lost");
  EXPECT_EQ(runs_[0]->Result(end_.reason, true).received(), 321u);
}

TEST_F(MeasurementLoopTest, ALeaseThatExpiredIsNamed) {
  Start(SessionRole::kServer, {UP});
  Attach();
  fake_.SetFlow(slot_[UP].slot, dp::FINISHED, dp::END_CONTROL_LEASE, /*event=*/false);
  fake_.CloseConnection();
  EXPECT_EQ(Ended().reason, "control_lease");
}

TEST_F(MeasurementLoopTest, AClientThatIsCancelledTellsTheServerAndLetsItClose) {
  Start(SessionRole::kClient, {UP});
  SetFlow(UP, dp::PROVEN);
  SayState("running");
  ASSERT_TRUE(Eventually([this] { return Armed(UP); }));
  session_->mailbox().Post(StopAsked{"cancelled"});
  ASSERT_TRUE(Eventually([this] { return !peer_->Said<ms::Stop>().empty(); }));
  EXPECT_FALSE(Armed(UP));
  ms::Completed completed;
  completed.set_outcome(record::v1::ABORTED);
  completed.set_end_reason("cancelled");
  Say(completed);
  ExpectAborted("cancelled");
  EXPECT_TRUE(loop_->completed().has_value());
}

}  // namespace
}  // namespace weir::control
