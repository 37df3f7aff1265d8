#include "control/admission/admission.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

namespace weir::control {
namespace {

using measurement::v1::DirectionRequest;
using measurement::v1::Rejection;
using record::v1::DOWN;
using record::v1::UP;

constexpr uint64_t kGbps = 1'000'000'000;
constexpr char kNotice[] = "We keep and publish your address.";

constexpr char kPolicy[] = R"(
  profile: "test"
  notice: "We keep and publish your address."
  admission { name: "blocked" effect: DENY match { client: "192.0.2.66" } reason: "abuse in May" }
  admission {
    name: "site" effect: ALLOW match { client: "192.0.2.0/24" client: "2001:db8::/32" }
    limit { rate_bps: 2000000000 duration_ms: 10000 streams: 4 concurrent_sessions: 2
            min_udp_payload_bytes: 64 max_udp_payload_bytes: 8000 allow_rate_max: true }
  }
  admission { name: "guest" effect: ALLOW match { client: "198.51.100.0/24" } limit { rate_bps: 1000000 } }
  admission { name: "wide" effect: ALLOW match { client: "203.0.113.0/24" } limit { allow_rate_max: true } }
  export { name: "all" effect: ALLOW address: "netblock" release_class: "public" }
)";

DirectionRequest Ask(record::v1::Direction direction, uint64_t rate_bps, uint32_t payload = 1472) {
  DirectionRequest request;
  request.set_direction(direction);
  auto* parameters = request.mutable_parameters();
  if (rate_bps == 0) {
    parameters->set_rate_max(true);
  } else {
    parameters->set_rate_bps(rate_bps);
  }
  parameters->set_duration_ns(5'000'000'000);
  parameters->set_streams(1);
  parameters->set_ip_version(4);
  auto* size = parameters->add_payload();
  size->set_udp_payload_bytes(payload);
  size->set_weight(1);
  return request;
}

class AdmissionTest : public testing::Test {
 protected:
  AdmissionTest()
      : admission_({.operator_name = "Example Lab",
                    .contact = "noc@example.net",
                    .max_sessions = 8,
                    .port_budgets = {{"budgeted", 3 * kGbps}, {"memory", 40 * kGbps}}},
                   *Policy::Parse("p", kPolicy)) {
    admission_.SetPorts({{.name = "p0", .link_bps = 10 * kGbps, .mtu = 1500},
                         {.name = "budgeted", .link_bps = 10 * kGbps, .mtu = 1500},
                         {.name = "memory", .link_bps = 10 * kGbps, .mtu = 9000},
                         {.name = "dark", .link_bps = 10 * kGbps, .mtu = 1500, .link_up = false},
                         {.name = "unknown", .link_bps = 0, .mtu = 1500}});
  }

  AdmissionRequest Request(std::vector<DirectionRequest> directions,
                           const char* peer = "192.0.2.7") const {
    AdmissionRequest request;
    request.peer_addresses = {peer};
    request.accepted_notice_digest = admission_.policy()->notice_digest();
    request.directions = std::move(directions);
    request.port = "p0";
    return request;
  }

  AdmissionGrant Grant(const AdmissionRequest& request) {
    AdmissionDecision decision = admission_.Decide(request);
    if (const auto* rejection = std::get_if<Rejection>(&decision)) {
      ADD_FAILURE() << rejection->ShortDebugString();
      return {};
    }
    return std::get<AdmissionGrant>(std::move(decision));
  }

  void ExpectRefused(const AdmissionRequest& request, const char* stage, const char* rule,
                     const char* field, const char* words = "") {
    const AdmissionDecision decision = admission_.Decide(request);
    const auto* rejection = std::get_if<Rejection>(&decision);
    ASSERT_NE(rejection, nullptr) << "granted; expected " << stage << "/" << rule;
    EXPECT_EQ(rejection->stage(), stage) << rejection->ShortDebugString();
    EXPECT_EQ(rejection->rule(), rule) << rejection->ShortDebugString();
    EXPECT_EQ(rejection->field(), field) << rejection->ShortDebugString();
    EXPECT_NE(rejection->message().find(words), std::string::npos) << rejection->message();
    EXPECT_EQ(rejection->operator_(), "Example Lab");
    EXPECT_EQ(rejection->contact(), "noc@example.net");
  }

  Admission admission_;
};

TEST_F(AdmissionTest, GrantsWhatIsWithinTheRule) {
  const AdmissionGrant grant = Grant(Request({Ask(DOWN, kGbps), Ask(UP, kGbps / 2)}));
  EXPECT_EQ(grant.admission_rule, "site");
  EXPECT_TRUE(grant.reduced_by.empty());
  ASSERT_EQ(grant.directions.size(), 2u);
  EXPECT_EQ(grant.directions[0].parameters().rate_bps(), kGbps);
  EXPECT_EQ(grant.directions[1].parameters().rate_bps(), kGbps / 2);
  EXPECT_EQ(grant.policy, admission_.policy());
  // Down is what the server sends.
  const Ledger::Usage usage = admission_.PortUsage("p0");
  EXPECT_EQ(usage.bps[static_cast<size_t>(LinkSide::kTransmit)], kGbps);
  EXPECT_EQ(usage.bps[static_cast<size_t>(LinkSide::kReceive)], kGbps / 2);
}

TEST_F(AdmissionTest, Identify) {
  AdmissionRequest request = Request({Ask(DOWN, kGbps)});
  request.access_token = "eyJ";
  ExpectRefused(request, "identify", kAccessTokenRule, "access_token");
  request = Request({Ask(DOWN, kGbps)});
  request.peer_addresses = {};
  ExpectRefused(request, "identify", kOnePeerRule, "client_ends.ip");
  request.peer_addresses = {"192.0.2.7", "192.0.2.8"};
  ExpectRefused(request, "identify", kOnePeerRule, "client_ends.ip", "one peer");
  for (const char* address : {"", "host", "0.0.0.0", "224.0.0.1", "ff02::1", "255.255.255.255"}) {
    request.peer_addresses = {address};
    ExpectRefused(request, "identify", kOnePeerRule, "client_ends.ip");
  }
}

TEST_F(AdmissionTest, NoticeMustBeAccepted) {
  AdmissionRequest request = Request({Ask(DOWN, kGbps)});
  request.accepted_notice_digest = "";
  ExpectRefused(request, "identify", kNoticeRule, "accepted_notice_digest", "sha256:");
  request.accepted_notice_digest = "sha256:0";
  ExpectRefused(request, "identify", kNoticeRule, "accepted_notice_digest");
}

TEST_F(AdmissionTest, Classify) {
  ExpectRefused(Request({}), "classify", kRequestFormRule, "directions");
  ExpectRefused(Request({Ask(DOWN, kGbps), Ask(DOWN, kGbps)}), "classify", kRequestFormRule,
                "directions", "twice");
  ExpectRefused(Request({Ask(record::v1::DIRECTION_UNSPECIFIED, kGbps)}), "classify",
                kRequestFormRule, "directions.direction");
  ExpectRefused(Request({Ask(DOWN, kGbps)}, "2001:db8::1"), "classify", kRequestFormRule,
                "directions[down].parameters.ip_version");
  AdmissionRequest request = Request({Ask(DOWN, kGbps)});
  for (const char* label : {"mail me@example.net", "http://example.net", "02:00:00:00:00:01",
                            "02-00-00-00-00-01", "0200.0000.0001", "a b"}) {
    request.experiment = label;
    ExpectRefused(request, "classify", kRequestFormRule, "experiment");
  }
  request.experiment = "isp-survey.2026";
  EXPECT_EQ(Grant(request).admission_rule, "site");
}

TEST_F(AdmissionTest, MetadataIsScreened) {
  AdmissionRequest request = Request({Ask(DOWN, kGbps)});
  record::v1::Metadata* entry = request.metadata.Add();
  entry->set_key("access");
  for (const char* value : {"me@example.net", "http://example.net", "02:00:00:00:00:01",
                            "+1 212 555 0100", "192.0.2.7"}) {
    entry->set_value(value);
    ExpectRefused(request, "classify", kMetadataRule, "metadata", "leave personal data out");
  }
  entry->set_value("fiber");
  EXPECT_EQ(Grant(request).admission_rule, "site");
}

TEST_F(AdmissionTest, ParametersMustMakeSense) {
  const struct {
    void (*change)(record::v1::TestParameters*);
    const char* field;
  } kCases[] = {
      {[](auto* p) { p->set_rate_bps(0); }, "rate_bps"},
      {[](auto* p) { p->set_rate_bps(11'999); }, "rate_bps"},  // 1500 bytes a second.
      {[](auto* p) { p->set_rate_max(true); }, "rate_bps"},
      {[](auto* p) { p->set_duration_ns(0); }, "duration_ns"},
      {[](auto* p) { p->set_duration_ns(~uint64_t{0}); }, "duration_ns"},
      {[](auto* p) { p->set_streams(0); }, "streams"},
      {[](auto* p) { p->set_streams(129); }, "streams"},
      {[](auto* p) { p->set_ip_version(5); }, "ip_version"},
      {[](auto* p) { p->set_dscp(64); }, "dscp"},
      {[](auto* p) { p->set_pacing(record::v1::BURST); }, "burst_packets"},
      {[](auto* p) { p->set_burst_packets(16); }, "burst_packets"},
      {[](auto* p) {
         p->set_pacing(record::v1::BURST);
         p->set_burst_packets(1025);
       },
       "burst_packets"},
      {[](auto* p) { p->set_ramp_start_bps(1); }, "ramp_start_bps"},
      {[](auto* p) {
         p->set_pacing(record::v1::RAMP);
         p->set_ramp_start_bps(p->rate_bps() + 1);
       },
       "ramp_start_bps"},
      {[](auto* p) { p->set_pacing(static_cast<record::v1::Pacing>(99)); }, "pacing"},
      {[](auto* p) { p->clear_payload(); }, "payload"},
      {[](auto* p) { p->mutable_payload(0)->set_udp_payload_bytes(17); },
       "payload.udp_payload_bytes"},
      {[](auto* p) { p->mutable_payload(0)->set_udp_payload_bytes(65508); },
       "payload.udp_payload_bytes"},
      {[](auto* p) { p->mutable_payload(0)->set_weight(0); }, "payload.weight"},
      {[](auto* p) { p->mutable_payload(0)->set_weight(257); }, "payload.weight"},
  };
  for (const auto& c : kCases) {
    AdmissionRequest request = Request({Ask(DOWN, kGbps)});
    c.change(request.directions[0].mutable_parameters());
    ExpectRefused(request, "classify", kRequestFormRule,
                  (std::string("directions[down].parameters.") + c.field).c_str());
  }
  AdmissionRequest least = Request({Ask(DOWN, 12'000)});
  EXPECT_EQ(Grant(least).directions[0].parameters().rate_bps(), 12'000u);
}

TEST_F(AdmissionTest, Decide) {
  ExpectRefused(Request({Ask(DOWN, kGbps)}, "192.0.2.66"), "decide", "blocked", "", "abuse in May");
  ExpectRefused(Request({Ask(DOWN, kGbps)}, "::ffff:192.0.2.66"), "decide", "blocked", "");
  ExpectRefused(Request({Ask(DOWN, kGbps)}, "10.0.0.1"), "decide", kDefaultDenyRule, "");
}

TEST_F(AdmissionTest, LimitRefusesEverythingButRate) {
  AdmissionRequest request = Request({Ask(DOWN, kGbps)});
  request.directions[0].mutable_parameters()->set_duration_ns(10'000'000'001);
  ExpectRefused(request, "limit", "site", "directions[down].parameters.duration_ns",
                "at most 10 s");
  request = Request({Ask(UP, kGbps)});
  request.directions[0].mutable_parameters()->set_streams(5);
  ExpectRefused(request, "limit", "site", "directions[up].parameters.streams", "at most 4");
  ExpectRefused(Request({Ask(DOWN, kGbps, 63)}), "limit", "site",
                "directions[down].parameters.payload.udp_payload_bytes", "at least 64");
  ExpectRefused(Request({Ask(DOWN, kGbps, 8001)}), "limit", "site",
                "directions[down].parameters.payload.udp_payload_bytes", "at most 8000");
  ExpectRefused(Request({Ask(DOWN, 0)}, "198.51.100.1"), "limit", "guest",
                "directions[down].parameters.rate_max", "1 Mbit/s");
}

TEST_F(AdmissionTest, RateIsReducedToTheRule) {
  const AdmissionGrant grant = Grant(Request({Ask(DOWN, 5 * kGbps)}));
  EXPECT_EQ(grant.directions[0].parameters().rate_bps(), 2 * kGbps);
  EXPECT_EQ(grant.reduced_by, std::vector<std::string>{"site"});
}

TEST_F(AdmissionTest, MaxIsTheRuleOrTheWire) {
  const AdmissionGrant ruled = Grant(Request({Ask(DOWN, 0)}));
  EXPECT_TRUE(ruled.directions[0].parameters().rate_max());
  EXPECT_EQ(ruled.directions[0].parameters().rate_bps(), 2 * kGbps);
  // 1500 bytes of IP cost 1538 on the wire.
  const AdmissionGrant wide = Grant(Request({Ask(UP, 0)}, "203.0.113.1"));
  EXPECT_NEAR(static_cast<double>(wide.directions[0].parameters().rate_bps()), 1e10 * 1500 / 1538,
              1);
  EXPECT_TRUE(wide.reduced_by.empty());
}

TEST_F(AdmissionTest, RateAboveTheLinkIsRefused) {
  ExpectRefused(Request({Ask(DOWN, 10 * kGbps + 1)}, "203.0.113.1"), "capacity", kLinkRateRule,
                "directions[down].parameters.rate_bps", "at most 10 Gbit/s");
  // At the link's rate the wire's overhead is what reduces it. 18 bytes of payload are 46 of IP.
  const AdmissionGrant grant = Grant(Request({Ask(DOWN, 10 * kGbps, 18)}, "203.0.113.1"));
  EXPECT_NEAR(static_cast<double>(grant.directions[0].parameters().rate_bps()), 1e10 * 46 / 84, 1);
  EXPECT_EQ(grant.reduced_by, std::vector<std::string>{kLinkRateRule});
}

TEST_F(AdmissionTest, BudgetReplacesTheLinkRate) {
  AdmissionRequest request = Request({Ask(DOWN, 5 * kGbps)}, "203.0.113.1");
  request.port = "budgeted";
  const AdmissionGrant grant = Grant(request);
  EXPECT_EQ(grant.directions[0].parameters().rate_bps(), 3 * kGbps);
  EXPECT_EQ(grant.reduced_by, std::vector<std::string>{kLinkBudgetRule});
  // A memif has no wire: its budget is above the nominal rate.
  request.port = "memory";
  request.directions[0].mutable_parameters()->set_rate_bps(20 * kGbps);
  EXPECT_EQ(Grant(request).directions[0].parameters().rate_bps(), 20 * kGbps);
}

TEST_F(AdmissionTest, TheThirdBeyondTheBudgetIsRefusedByName) {
  AdmissionRequest request = Request({Ask(DOWN, 2 * kGbps)}, "203.0.113.1");
  request.port = "budgeted";
  const AdmissionGrant first = Grant(request);
  {
    const AdmissionGrant second = Grant(request);
    EXPECT_EQ(second.directions[0].parameters().rate_bps(), kGbps);
    EXPECT_EQ(second.reduced_by, std::vector<std::string>{kLinkBudgetRule});
    ExpectRefused(request, "capacity", kLinkBudgetRule, "directions[down].parameters.rate_bps",
                  "2 sessions on port \"budgeted\" use 3 Gbit/s of its budget of 3 Gbit/s");
    // The other direction of the link is free.
    AdmissionRequest up = request;
    up.directions = {Ask(UP, kGbps)};
    EXPECT_TRUE(Grant(up).reservation.held());
  }
  EXPECT_EQ(Grant(request).directions[0].parameters().rate_bps(), kGbps);
}

TEST_F(AdmissionTest, BothDirectionsOrNone) {
  AdmissionRequest fill = Request({Ask(UP, 3 * kGbps)}, "203.0.113.1");
  fill.port = "budgeted";
  const AdmissionGrant held = Grant(fill);
  AdmissionRequest both = fill;
  both.directions = {Ask(DOWN, kGbps), Ask(UP, kGbps)};
  ExpectRefused(both, "capacity", kLinkBudgetRule, "directions[up].parameters.rate_bps");
  EXPECT_EQ(admission_.PortUsage("budgeted").bps[static_cast<size_t>(LinkSide::kTransmit)], 0u);
}

TEST_F(AdmissionTest, Mtu) {
  ExpectRefused(Request({Ask(DOWN, kGbps, 1473)}), "capacity", kMtuRule,
                "directions[down].parameters.payload.udp_payload_bytes", "at most 1472");
  AdmissionRequest v6 = Request({Ask(DOWN, kGbps, 1453)}, "2001:db8::1");
  v6.directions[0].mutable_parameters()->set_ip_version(6);
  ExpectRefused(v6, "capacity", kMtuRule, "directions[down].parameters.payload.udp_payload_bytes",
                "at most 1452");
}

TEST_F(AdmissionTest, Ports) {
  AdmissionRequest request = Request({Ask(DOWN, kGbps)});
  request.port = "p9";
  ExpectRefused(request, "capacity", kPortRule, "port", "budgeted, dark, memory, p0, unknown");
  request.port = "dark";
  ExpectRefused(request, "capacity", kPortRule, "port", "no link");
  request.port = "unknown";
  ExpectRefused(request, "capacity", kPortRule, "port", "budget_bps");
  request.port = "";
  ExpectRefused(request, "capacity", kPortRule, "port");
  admission_.SetPorts({{.name = "only", .link_bps = kGbps, .mtu = 1500}});
  EXPECT_TRUE(Grant(request).reservation.held());
  admission_.SetPorts({});
  ExpectRefused(request, "capacity", kPortRule, "port", "no dataplane port at the moment");
}

TEST_F(AdmissionTest, ConcurrencyPerRuleAndPerNode) {
  const AdmissionRequest request = Request({Ask(DOWN, kGbps / 10)});
  std::optional<AdmissionGrant> first = Grant(request), second = Grant(request);
  ExpectRefused(request, "limit", "site", "concurrent_sessions", "all 2 sessions");
  std::vector<AdmissionGrant> others;
  const AdmissionRequest wide = Request({Ask(UP, kGbps / 10)}, "203.0.113.1");
  for (int i = 0; i < 6; ++i) others.push_back(Grant(wide));
  ExpectRefused(wide, "capacity", kMaxSessionsRule, "", "all 8 sessions");
  first.reset();
  EXPECT_TRUE(Grant(request).reservation.held());
  EXPECT_EQ(admission_.ActiveSessions(), 7u);
}

TEST_F(AdmissionTest, DrainingAndFullStore) {
  AdmissionRequest request = Request({Ask(DOWN, kGbps)});
  request.draining = true;
  ExpectRefused(request, "capacity", kDrainingRule, "");
  request.draining = false;
  request.store_full = true;
  ExpectRefused(request, "store", kStoreFullRule, "");
  EXPECT_EQ(admission_.ActiveSessions(), 0u);
}

TEST_F(AdmissionTest, ClientIsJudgedByItsOwnLinkOnly) {
  AdmissionRequest request;
  request.role = NodeRole::kClient;
  request.directions = {Ask(DOWN, 5 * kGbps)};
  request.port = "p0";
  const AdmissionGrant grant = Grant(request);
  EXPECT_EQ(grant.directions[0].parameters().rate_bps(), 5 * kGbps);
  EXPECT_EQ(grant.admission_rule, "");
  // For the client, down is what it receives.
  EXPECT_EQ(admission_.PortUsage("p0").bps[static_cast<size_t>(LinkSide::kReceive)], 5 * kGbps);
  request.directions = {Ask(DOWN, kGbps, 1473)};
  ExpectRefused(request, "capacity", kMtuRule,
                "directions[down].parameters.payload.udp_payload_bytes");
}

TEST_F(AdmissionTest, ReservationReturnsOnceOnEveryPath) {
  const AdmissionRequest request = Request({Ask(DOWN, kGbps)});
  AdmissionGrant grant = Grant(request);
  Reservation moved = std::move(grant.reservation);
  EXPECT_FALSE(grant.reservation.held());
  EXPECT_EQ(admission_.ActiveSessions(), 1u);
  Reservation assigned = std::move(Grant(request).reservation);
  EXPECT_EQ(admission_.ActiveSessions(), 2u);
  assigned = std::move(moved);  // Lets go of what it held.
  EXPECT_EQ(admission_.ActiveSessions(), 1u);
  assigned.Release();
  assigned.Release();
  EXPECT_EQ(admission_.ActiveSessions(), 0u);
  EXPECT_EQ(admission_.PortUsage("p0").bps[0], 0u);
}

TEST(ReservationTest, OutlivesAdmission) {
  Reservation reservation;
  {
    Admission admission({.operator_name = "o", .contact = "c"}, *Policy::Parse("p", kPolicy));
    admission.SetPorts({{.name = "p0", .link_bps = kGbps, .mtu = 1500}});
    AdmissionRequest request;
    request.role = NodeRole::kClient;
    request.directions = {Ask(DOWN, kGbps / 2)};
    AdmissionDecision decision = admission.Decide(request);
    reservation = std::move(std::get<AdmissionGrant>(decision).reservation);
  }
  EXPECT_TRUE(reservation.held());
}

TEST_F(AdmissionTest, PolicyReloadKeepsRunningSessions) {
  const AdmissionGrant grant = Grant(Request({Ask(DOWN, kGbps)}));
  admission_.SetPolicy(*Policy::Parse("p", "profile: \"lab\""));
  EXPECT_EQ(grant.policy->notice(), kNotice);
  EXPECT_EQ(admission_.ActiveSessions(), 1u);
  ExpectRefused(Request({Ask(DOWN, kGbps)}), "decide", kDefaultDenyRule, "");
}

TEST_F(AdmissionTest, TheTraceShowsEachStageInOrder) {
  const AdmissionGrant grant = Grant(Request({Ask(DOWN, 5 * kGbps)}));
  std::vector<std::string> stages;
  const policy::v1::Trace trace = grant.trace.ToProto();
  for (const policy::v1::TraceStep& step : trace.steps()) {
    if (stages.empty() || stages.back() != step.stage()) stages.push_back(step.stage());
    EXPECT_NE(step.verdict(), policy::v1::REFUSED) << step.ShortDebugString();
    EXPECT_EQ(step.ShortDebugString().find("192.0.2.7"), std::string::npos);
  }
  EXPECT_EQ(stages, (std::vector<std::string>{"identify", "classify", "limit", "decide", "capacity",
                                              "limit", "capacity", "store"}));
  EXPECT_EQ(trace.policy_digest(), admission_.policy()->digest());
}

TEST_F(AdmissionTest, TheTraceNamesNobody) {
  AdmissionRequest request = Request({Ask(DOWN, kGbps)});
  request.identity = "certificate:alice";
  const std::string trace = Grant(request).trace.ToProto().DebugString();
  EXPECT_NE(trace.find("certificate"), std::string::npos);
  EXPECT_EQ(trace.find("alice"), std::string::npos) << trace;
}

TEST_F(AdmissionTest, ARefusalEndsItsTrace) {
  AdmissionRequest request = Request({Ask(DOWN, kGbps)});
  request.directions[0].mutable_parameters()->set_duration_ns(20'000'000'000);
  const AdmissionDecision decision = admission_.Decide(request);
  const policy::v1::TraceStep& last = *std::get<Rejection>(decision).trace().steps().rbegin();
  EXPECT_EQ(last.stage(), "limit");
  EXPECT_EQ(last.rule(), "site");
  EXPECT_EQ(last.value(), "20 s");
  EXPECT_EQ(last.limit(), "<= 10 s");
  EXPECT_EQ(last.verdict(), policy::v1::REFUSED);
}

// What fails after admission, and what never came so far, have a trace like any other refusal.
TEST_F(AdmissionTest, EveryRefusalHasATrace) {
  const Rejection before = admission_.Reject("capacity", "negotiations", "", "try later");
  ASSERT_EQ(before.trace().steps_size(), 1);
  EXPECT_EQ(before.trace().policy_digest(), admission_.policy()->digest());
  AdmissionGrant grant = Grant(Request({Ask(DOWN, kGbps)}));
  const int passed = grant.trace.ToProto().steps_size();
  const Rejection after =
      admission_.Reject("store", "store_write", "", "try later", grant.trace.ToProto());
  ASSERT_EQ(after.trace().steps_size(), passed + 1);
  const policy::v1::TraceStep& last = *after.trace().steps().rbegin();
  EXPECT_EQ(last.stage() + "/" + last.rule(), "store/store_write");
  EXPECT_EQ(last.verdict(), policy::v1::REFUSED);
  EXPECT_EQ(after.contact(), "noc@example.net");
  for (const auto& [full, draining] : {std::pair(true, false), std::pair(false, true)}) {
    AdmissionRequest request = Request({Ask(DOWN, kGbps)});
    request.store_full = full;
    request.draining = draining;
    const AdmissionDecision decision = admission_.Decide(request);
    EXPECT_EQ(std::get<Rejection>(decision).trace().steps().rbegin()->verdict(),
              policy::v1::REFUSED);
  }
}

TEST_F(AdmissionTest, AClientNeverSeesWhatOthersUse) {
  const AdmissionRequest request = Request({Ask(DOWN, kGbps)});
  const AdmissionGrant first = Grant(request), second = Grant(request);
  AdmissionDecision decision = admission_.Decide(request);
  policy::v1::Trace trace = std::get<Rejection>(decision).trace();
  EXPECT_EQ(trace.steps().rbegin()->value(), "2 running");
  WithoutSharedValues(&trace);
  EXPECT_EQ(trace.steps().rbegin()->value(), "");
  EXPECT_EQ(trace.steps().rbegin()->limit(), "< 2");
  EXPECT_EQ(trace.DebugString().find("running"), std::string::npos);
}

TEST_F(AdmissionTest, AnExplanationReservesNothing) {
  AdmissionRequest request = Request({Ask(DOWN, kGbps)});
  request.explain = true;
  const AdmissionGrant grant = Grant(request);
  EXPECT_FALSE(grant.reservation.held());
  EXPECT_EQ(admission_.ActiveSessions(), 0u);
  bool passed_over = false;
  const policy::v1::Trace trace = grant.trace.ToProto();
  for (const policy::v1::TraceStep& step : trace.steps()) {
    passed_over |= step.rule() == "blocked" && step.verdict() == policy::v1::NOT_MATCHED &&
                   step.field() == "match.client";
  }
  EXPECT_TRUE(passed_over);
}

TEST_F(AdmissionTest, PriorityKeepsAPartOfTheLinkForOthers) {
  admission_.SetPolicy(*Policy::Parse("p", R"(
    profile: "lab"
    admission { name: "staff" effect: ALLOW match { client: "192.0.2.0/24" } }
    admission { name: "public" effect: ALLOW priority { link_percent: 60 } }
    export { name: "all" effect: ALLOW address: "none" release_class: "public" })"));
  AdmissionRequest open = Request({Ask(DOWN, 3 * kGbps)}, "203.0.113.1");
  open.port = "budgeted";  // 3 Gbit/s.
  const AdmissionGrant first = Grant(open);
  EXPECT_EQ(first.directions[0].parameters().rate_bps(), 3 * kGbps / 100 * 60);
  EXPECT_EQ(first.reduced_by, std::vector<std::string>{"public"});
  ExpectRefused(open, "priority", "public", "directions[down].parameters.rate_bps", "60 %");
  AdmissionRequest staff = Request({Ask(DOWN, 3 * kGbps)});
  staff.port = "budgeted";
  EXPECT_EQ(Grant(staff).directions[0].parameters().rate_bps(), 3 * kGbps / 100 * 40);
}

TEST_F(AdmissionTest, TheBudgetHoldsAgainstManyThreads) {
  std::atomic<uint64_t> held{0};
  std::atomic<bool> exceeded{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      AdmissionRequest request = Request({Ask(DOWN, kGbps)}, "203.0.113.1");
      request.port = "budgeted";
      for (int i = 0; i < 500; ++i) {
        AdmissionDecision decision = admission_.Decide(request);
        if (auto* grant = std::get_if<AdmissionGrant>(&decision)) {
          const uint64_t rate = grant->directions[0].parameters().rate_bps();
          if (held.fetch_add(rate) + rate > 3 * kGbps) exceeded = true;
          held.fetch_sub(rate);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(admission_.ActiveSessions(), 0u);
}

TEST_F(AdmissionTest, LimitsAreTheWidestOfTheRules) {
  const measurement::v1::Limits limits = admission_.Limits();
  EXPECT_EQ(limits.max_rate_bps(), 40 * kGbps);  // "wide" has no limit: the largest budget.
  EXPECT_EQ(limits.budget_bps(), 40 * kGbps);
  EXPECT_EQ(limits.max_duration_ns(), uint64_t{86'400} * 1'000'000'000);
  EXPECT_EQ(limits.min_udp_payload_bytes(), 18u);
  EXPECT_EQ(limits.max_udp_payload_bytes(), 8972u);
}

}  // namespace
}  // namespace weir::control
