#include "control/export/explain.h"

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <sstream>

#include "measurement/v1/explain.pb.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::control {
namespace {

constexpr char kPolicy[] = R"(profile: "site"
notice: "We keep your network."
admission { name: "blocked" effect: DENY match { client: "192.0.2.66" } reason: "abuse in May" }
admission {
  name: "guests" effect: ALLOW match { experiment: "weir" }
  limit { rate_bps: 100000000 duration_ms: 10000 }
  serves { document: "aup" text: "Guests may test." }
}
export { name: "kept" effect: ALLOW match { admission_rule: "guests" } address: "netblock" release_class: "public" }
)";

constexpr char kRequest[] = R"({
  "request": {
    "experiment": "weir", "client_ends": [{"ip": "192.0.2.7"}],
    "directions": [{"direction": "DOWN", "parameters": {
      "rate_bps": "1000000000", "duration_ns": "5000000000", "streams": 1, "ip_version": 4,
      "payload": [{"udp_payload_bytes": 1000, "weight": 1}]}}]
  }
})";

constexpr char kRecord[] = R"({
  "record_id": "018f-down", "session_id": "018f", "direction": "DOWN", "outcome": "COMPLETED",
  "end_reason": "duration", "negotiated_at": "2026-11-25T10:00:00Z", "experiment": "weir",
  "server": {"operator": "o", "contact": "c"}, "client": {"value": "192.0.2.7"},
  "policy_digest": "sha256:0", "admission_rule": "guests", "origin_active": true
})";

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class ExplainTest : public testing::Test {
 protected:
  measurement::v1::Explanation Request(const std::string& text, int expected) {
    return Explain({.files = files_, .request = dir_.Write("r", text)}, expected);
  }
  measurement::v1::Explanation Record(const std::string& text, int expected) {
    return Explain({.files = files_, .record = dir_.Write("r", text)}, expected);
  }
  measurement::v1::Explanation Explain(ExplainOptions options, int expected) {
    std::ostringstream table, ignored;
    EXPECT_EQ(ExplainPolicy(options, table, ignored), expected);
    table_ = table.str();
    options.json = true;
    std::ostringstream out, err;
    EXPECT_EQ(ExplainPolicy(options, out, err), expected) << err.str();
    err_ = err.str();
    measurement::v1::Explanation explanation;
    if (expected != 2) {
      EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(out.str(), &explanation).ok());
    }
    return explanation;
  }
  bool TableHas(const std::string& text) const { return table_.find(text) != std::string::npos; }

  const TempDir dir_;
  std::vector<std::string> files_{dir_.Write("policy", kPolicy)};
  std::string table_, err_;
};

std::vector<std::string> Stages(const policy::v1::Trace& trace) {
  std::vector<std::string> stages;
  for (const auto& step : trace.steps()) {
    if (stages.empty() || stages.back() != step.stage()) stages.push_back(step.stage());
  }
  return stages;
}

TEST_F(ExplainTest, ShowsEveryStageOfAnAdmittedRequest) {
  const auto explanation = Request(kRequest, 0);
  EXPECT_EQ(explanation.grant().admission_rule(), "guests");
  EXPECT_EQ(explanation.grant().reduced_by(0), "guests");
  EXPECT_EQ(Stages(explanation.trace()),
            (std::vector<std::string>{"identify", "classify", "limit", "decide", "capacity"}));
  bool passed_over = false, reduced = false, served = false;
  for (const auto& step : explanation.trace().steps()) {
    passed_over |= step.rule() == "blocked" && step.field() == "match.client" &&
                   step.verdict() == policy::v1::NOT_MATCHED;
    reduced |= step.verdict() == policy::v1::REDUCED && step.value() == "1 Gbit/s" &&
               step.limit() == "<= 100 Mbit/s";
    served |= step.stage() == "decide" && step.serves_size() == 1;
  }
  EXPECT_TRUE(passed_over && reduced && served) << explanation.trace().DebugString();
  EXPECT_EQ(explanation.trace().steps().rbegin()->verdict(), policy::v1::NOT_JUDGED);
  EXPECT_TRUE(TableHas("admitted by guests; rate reduced by guests")) << table_;
  EXPECT_TRUE(TableHas("serves aup: \"Guests may test.\"")) << table_;
}

TEST_F(ExplainTest, ShowsWhichStageRefuses) {
  const struct {
    const char* from;
    const char* to;
    const char* stage;
    const char* rule;
    const char* field;
  } kCases[] = {
      {"192.0.2.7", "224.0.0.1", "identify", "one_peer", "client_ends.ip"},
      {"DOWN", "DIRECTION_UNSPECIFIED", "classify", "request_form", "directions.direction"},
      {"5000000000", "50000000000", "limit", "guests", "directions[down].parameters.duration_ns"},
      {"192.0.2.7", "192.0.2.66", "decide", "blocked", ""},
      {"\"weir\"", "\"other\"", "decide", "default_deny", ""},
  };
  for (const auto& c : kCases) {
    const auto explanation = Request(Replaced(kRequest, c.from, c.to), 3);
    EXPECT_EQ(explanation.rejection().stage(), c.stage);
    EXPECT_EQ(explanation.rejection().rule(), c.rule);
    EXPECT_EQ(explanation.rejection().field(), c.field);
    const auto& last = *explanation.trace().steps().rbegin();
    EXPECT_EQ(last.verdict(), policy::v1::REFUSED);
    EXPECT_EQ(last.stage(), c.stage);
    EXPECT_EQ(last.rule(), c.rule);
    EXPECT_TRUE(TableHas(std::string("refused by ") + c.rule)) << table_;
  }
}

TEST_F(ExplainTest, JudgesTheLinkThatIsGiven) {
  const std::string linked = Replaced(kRequest, "{\n  \"request\"",
                                      "{ \"link\": {\"budget_bps\": \"1200000000\", \"used_bps\": "
                                      "\"1170000000\"},\n  \"request\"");
  const auto explanation = Request(linked, 0);
  EXPECT_EQ(explanation.grant().directions(0).parameters().rate_bps(), 30'000'000u);
  EXPECT_EQ(Stages(explanation.trace()).back(), "store");
  const auto full = Request(Replaced(linked, "1170000000", "1200000000"), 3);
  EXPECT_EQ(full.rejection().rule(), "link_budget");
}

TEST_F(ExplainTest, EveryFileOfAStackMustAllow) {
  files_.push_back(dir_.Write("upstream", R"(profile: "upstream"
    notice: "Upstream keeps it too."
    admission { name: "slow" effect: ALLOW limit { rate_bps: 10000000 } }
    export { name: "hidden" effect: ALLOW address: "none" release_class: "operator_only" })"));
  const auto explanation = Request(kRequest, 0);
  EXPECT_EQ(explanation.profile(), "site+upstream");
  EXPECT_EQ(explanation.grant().admission_rule(), "guests+slow");
  EXPECT_EQ(explanation.grant().directions(0).parameters().rate_bps(), 10'000'000u);
  const auto record = Record(Replaced(kRecord, "\"guests\"", "\"guests+slow\""), 0);
  EXPECT_EQ(record.export_rule(), "kept+hidden");
  EXPECT_EQ(record.address_mode(), "ADDRESS_NONE");
  EXPECT_EQ(record.release_class(), "OPERATOR_ONLY");
}

TEST_F(ExplainTest, ShowsHowARecordIsJudged) {
  const auto explanation = Record(kRecord, 0);
  EXPECT_TRUE(explanation.approved());
  EXPECT_EQ(explanation.export_rule(), "kept");
  EXPECT_EQ(explanation.address_mode(), "ADDRESS_NETBLOCK");
  EXPECT_EQ(Stages(explanation.trace()),
            (std::vector<std::string>{"schema", "session", "origin", "screening", "decide",
                                      "address", "release"}));
  EXPECT_TRUE(TableHas("192.0.2.0/24")) << table_;
  EXPECT_TRUE(TableHas("approved by kept")) << table_;

  EXPECT_EQ(Record(Replaced(kRecord, "true", "false"), 3).trace().steps().rbegin()->stage(),
            "origin");
  EXPECT_EQ(Record(Replaced(kRecord, "018f-down", "018f-up"), 3).trace().steps().rbegin()->stage(),
            "session");
  const auto unmatched = Record(Replaced(kRecord, "guests", "nobody"), 3);
  EXPECT_EQ(unmatched.trace().steps().rbegin()->rule(), "default_deny");
  EXPECT_NE(unmatched.why_withheld(), "");
}

TEST_F(ExplainTest, BadInputIsNamed) {
  Request("{", 2);
  EXPECT_NE(err_.find("not a weir.measurement.v1.AdmissionQuery"), std::string::npos) << err_;
  Record(Replaced(kRecord, "\"outcome\"", "\"email\": \"me@example.net\", \"outcome\""), 2);
  EXPECT_NE(err_.find("email"), std::string::npos) << err_;
  Explain({.files = files_}, 2);
  Explain({.files = {"/nonexistent"}, .request = "/nonexistent"}, 2);
  EXPECT_NE(err_.find("/nonexistent: No such file"), std::string::npos) << err_;
}

}  // namespace
}  // namespace weir::control
