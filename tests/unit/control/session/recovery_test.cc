// What a restarted weir-control does with what the last one left.
#include "control/session/recovery.h"

#include <gtest/gtest.h>

#include "control/session/conclusion.h"
#include "tests/ipc/fake_dataplane.h"

namespace weir::control {
namespace {

namespace dp = dataplane::v1;
using record::v1::DOWN;
using record::v1::UP;

constexpr char kPolicy[] = R"(
  profile: "lab"
  admission { name: "all" effect: ALLOW }
  export { name: "all" effect: ALLOW address: "netblock" release_class: "public" }
)";

class RecoveryTest : public testing::Test {
 protected:
  RecoveryTest()
      : fake_(directory_ / "dp.sock"),
        store_(*Store::Open({.path = directory_ / "weir.db"})),
        admission_({.operator_name = "Lab", .contact = "noc@example.net"},
                   *Policy::Parse("p", kPolicy)),
        metrics_("test"),
        dataplane_(directory_ / "dp.sock", {}) {
    node_.config = &config_;
    node_.admission = &admission_;
    node_.store = store_.get();
    node_.metrics = &metrics_;
    node_.dataplane = &dataplane_;
    node_.table = &table_;
    node_.lookup = &lookup_;
    EXPECT_TRUE(test::Eventually([this] { return dataplane_.client().connection() != nullptr; }));
  }

  // A server's session of both directions, as BeginSession left it.
  SessionFacts Begin() {
    SessionFacts facts;
    facts.id = Uuid::Generate(1'700'000'000'000);
    facts.negotiated_unix_ns = 1'700'000'000'000'000'000;
    facts.client_address = "192.0.2.77";
    facts.admission_rule = "all";
    facts.policy_digest = admission_.policy()->digest();
    facts.server.set_operator_("Lab");
    facts.server.set_contact("noc@example.net");
    for (const record::v1::Direction direction : {DOWN, UP}) {
      facts.granted.emplace_back().set_direction(direction);
      facts.granted.back().mutable_parameters()->set_rate_bps(1000);
    }
    facts.requested = facts.granted;
    // As AddFlow has them.
    for (const uint32_t slot : {1, 2}) {
      facts.flows.push_back(lookup_.Key("192.0.2.1", 5000 + slot, "192.0.2.77", 6000));
    }
    EXPECT_TRUE(store_->BeginSession(ToRow(facts)).ok());
    return facts;
  }
  void AddFlow(uint32_t slot, dp::Role role, const std::string& session) {
    dp::FlowInfo flow;
    flow.set_slot(slot);
    flow.set_generation(5);
    flow.set_role(role);
    flow.set_state(dp::RUNNING);
    flow.set_session_id(session);
    flow.set_histogram_index(-1);
    flow.mutable_local()->set_ip("\xC0\x00\x02\x01", 4);
    flow.mutable_local()->set_udp_port(5000 + slot);
    flow.mutable_remote()->set_ip("\xC0\x00\x02\x4D", 4);
    flow.mutable_remote()->set_udp_port(6000);
    fake_.AddFlow(flow);
  }
  absl::Status Recover(bool unfinished = true) {
    return TakeOver(
        node_, dataplane_.client().connection(),
        [this](const std::string& id) { return table_.Find(id) != nullptr; }, unfinished);
  }

  test::ScratchDirectory directory_;
  test::FakeDataplane fake_;
  std::unique_ptr<Store> store_;
  Admission admission_;
  Metrics metrics_;
  config::v1::Config config_;
  SessionTable table_;
  Dataplane dataplane_;
  FlowLookup lookup_{std::string(FlowLookup::kSecretBytes, 's')};
  Node node_;
};

TEST_F(RecoveryTest, TheStoresRowHoldsAllARecordNeeds) {
  const SessionFacts facts = Begin();
  const auto read = FromRow(ToRow(facts));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->id, facts.id);
  EXPECT_EQ(read->server.operator_(), "Lab");
  EXPECT_EQ(read->granted.size(), 2u);
  SessionRow broken = ToRow(facts);
  broken.granted = "\xFF";
  EXPECT_TRUE(absl::IsDataLoss(FromRow(broken).status()));
}

TEST_F(RecoveryTest, ExportsAnUnfinishedSessionOnceWithTheDataplanesCounters) {
  const SessionFacts facts = Begin();
  AddFlow(1, dp::TX, facts.id.Bytes());
  AddFlow(2, dp::RX, facts.id.Bytes());
  fake_.segment().tx(1).cell.Store({.generation = 5, .packets = 40});
  fake_.segment().rx(0, 2).cell.Store({.generation = 5, .packets = 30, .highest_sequence = 30});
  ASSERT_TRUE(Recover().ok());

  const auto down = store_->GetRecord(RecordId(facts.id, DOWN));
  const auto up = store_->GetRecord(RecordId(facts.id, UP));
  ASSERT_TRUE(down.ok() && up.ok());
  EXPECT_EQ(down->outcome(), record::v1::ABORTED);
  EXPECT_EQ(down->end_reason(), "control_restarted");
  EXPECT_EQ(down->result().sent(), 40u);
  EXPECT_EQ(up->result().received(), 30u);
  EXPECT_EQ(up->client().value(), "192.0.2.0/24");
  EXPECT_TRUE(fake_.flows().empty());

  ASSERT_TRUE(Recover().ok());
  EXPECT_EQ(store_->RecordCount(), 2u);
  EXPECT_TRUE(store_->UnfinishedSessions()->empty());
}

// A flow may claim a session: its counters are the session's only if its 5-tuple was admitted.
TEST_F(RecoveryTest, CountersOfAnotherFlowAreNotTheSessions) {
  const SessionFacts facts = Begin();
  AddFlow(2, dp::RX, facts.id.Bytes());
  AddFlow(3, dp::RX, facts.id.Bytes());
  fake_.segment().rx(0, 2).cell.Store({.generation = 5, .packets = 30, .highest_sequence = 30});
  fake_.segment().rx(0, 3).cell.Store({.generation = 5, .packets = 90, .highest_sequence = 90});
  ASSERT_TRUE(Recover().ok());
  EXPECT_EQ(store_->GetRecord(RecordId(facts.id, UP))->result().received(), 30u);
}

TEST_F(RecoveryTest, StopsOrphansAndLeavesActiveSessionsAlone) {
  const auto active = std::make_shared<Session>(Uuid::Generate(1), SessionRole::kServer, 1);
  table_.Register(active);
  AddFlow(1, dp::TX, active->id().Bytes());
  AddFlow(2, dp::TX, std::string(16, 'x'));
  AddFlow(3, dp::RX, "");
  ASSERT_TRUE(Recover(/*unfinished=*/false).ok());
  ASSERT_EQ(fake_.flows().size(), 1u);
  EXPECT_EQ(fake_.flows()[0].slot(), 1u);
  EXPECT_EQ(fake_.flows()[0].state(), dp::RUNNING);
  EXPECT_EQ(store_->RecordCount(), 0u);
}

TEST_F(RecoveryTest, WithoutFlowsTheIntervalsInTheStoreAreWhatIsKnown) {
  const SessionFacts facts = Begin();
  record::v1::Interval interval;
  interval.set_length_ns(1'000'000'000);
  interval.set_received(7);
  interval.set_ip_bps(56'000);
  store_->AppendInterval(facts.id.ToString(), UP, interval);
  ASSERT_TRUE(store_->Flush().ok());
  ASSERT_TRUE(FinishWithoutDataplane(node_).ok());
  const auto up = store_->GetRecord(RecordId(facts.id, UP));
  ASSERT_TRUE(up.ok());
  EXPECT_EQ(up->result().received(), 7u);
  EXPECT_EQ(up->result().intervals_size(), 1);
  EXPECT_DOUBLE_EQ(up->result().achieved_ip_bps(), 56'000);
}

}  // namespace
}  // namespace weir::control
