#include "control/export/export_policy.h"

#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <string>
#include <type_traits>

#include "absl/strings/str_cat.h"

namespace weir::control {
namespace {

using record::v1::Record;

static_assert(!std::is_constructible_v<ApprovedRecord, Record>,
              "only the export policy makes approved records");
static_assert(!std::is_default_constructible_v<ApprovedRecord>);

constexpr char kExportPolicy[] = R"(
  profile: "lab"
  admission { name: "net" effect: ALLOW match { purpose: "n" } }
  admission { name: "nobody" effect: ALLOW match { purpose: "o" } }
  admission { name: "rest" effect: ALLOW }
  export { name: "withheld" effect: DENY match { experiment: "private" } }
  export { name: "netblocks" effect: ALLOW match { admission_rule: "net" } address: "netblock" release_class: "public" }
  export { name: "none" effect: ALLOW match { admission_rule: "nobody" } address: "none" release_class: "public" }
  export { name: "full" effect: ALLOW match { admission_rule: "rest" } address: "full" release_class: "operator_only" }
)";

AdmittedSession Session(const std::string& rule) {
  return {.session_id = "018f-id",
          .admission_rule = rule,
          .policy_digest = "sha256:abc",
          .experiment = "e",
          .purpose = "p",
          .client_address = "192.0.2.7"};
}

Record Complete() {
  Record record;
  record.set_record_id("018f-id-down");
  record.set_session_id("018f-id");
  record.set_direction(record::v1::DOWN);
  record.set_outcome(record::v1::COMPLETED);
  record.set_end_reason("duration");
  record.mutable_negotiated_at()->set_seconds(1);
  record.mutable_server()->set_operator_("o");
  record.mutable_server()->set_contact("c");
  record.set_origin_active(true);
  record.mutable_result()->set_direction(record::v1::DOWN);
  record.mutable_result()->add_intervals()->set_received(3);
  return record;
}

class ExportPolicyTest : public testing::Test {
 protected:
  ExportPolicy policy_{*Policy::Parse("p", kExportPolicy)};
};

TEST_F(ExportPolicyTest, SetsWhatThePolicySays) {
  Record record = Complete();
  record.mutable_client()->set_value("forged");
  record.set_release_class(record::v1::PUBLIC);
  record.set_experiment("forged");
  const auto approved = policy_.Approve(Session("rest"), record);
  ASSERT_TRUE(approved.ok()) << approved.status();
  const Record& result = approved->record();
  EXPECT_EQ(result.client().mode(), record::v1::ADDRESS_FULL);
  EXPECT_EQ(result.client().value(), "192.0.2.7");
  EXPECT_EQ(result.release_class(), record::v1::OPERATOR_ONLY);
  EXPECT_EQ(result.export_rule(), "full");
  EXPECT_EQ(result.admission_rule(), "rest");
  EXPECT_EQ(result.policy_digest(), "sha256:abc");
  EXPECT_EQ(result.experiment(), "e");
  EXPECT_EQ(result.purpose(), "p");
}

TEST_F(ExportPolicyTest, AddressModes) {
  AdmittedSession session = Session("net");
  EXPECT_EQ(policy_.Approve(session, Complete())->record().client().value(), "192.0.2.0/24");
  session.client_address = "2001:db8:1:2::7";
  auto approved = policy_.Approve(session, Complete());
  EXPECT_EQ(approved->record().client().value(), "2001:db8:1::/48");
  EXPECT_EQ(approved->record().client().mode(), record::v1::ADDRESS_NETBLOCK);
  approved = policy_.Approve(Session("nobody"), Complete());
  EXPECT_EQ(approved->record().client().value(), "");
  EXPECT_EQ(approved->record().client().mode(), record::v1::ADDRESS_NONE);
  EXPECT_EQ(approved->record().SerializeAsString().find("192.0.2.7"), std::string::npos);
}

TEST_F(ExportPolicyTest, DeniedAndUnmatchedAreWithheld) {
  AdmittedSession session = Session("rest");
  session.experiment = "private";
  auto refused = policy_.Approve(session, Complete());
  EXPECT_TRUE(absl::IsPermissionDenied(refused.status()));
  EXPECT_NE(refused.status().message().find("\"withheld\""), std::string::npos);
  refused = policy_.Approve(Session("other"), Complete());
  EXPECT_TRUE(absl::IsPermissionDenied(refused.status()));
  EXPECT_NE(refused.status().message().find("\"default_deny\""), std::string::npos);
}

// Calls visit(path, message) for the message and each of those it can hold, all of them made.
template <typename Visit>
void VisitMessages(const std::string& path, google::protobuf::Message* message, Visit visit) {
  visit(path, message);
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = message->GetDescriptor()->field(i);
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    VisitMessages(absl::StrCat(path, ".", field->name()),
                  field->is_repeated() ? reflection.AddMessage(message, field)
                                       : reflection.MutableMessage(message, field),
                  visit);
  }
}

TEST_F(ExportPolicyTest, RefusesUnknownFieldsAtAnyDepth) {
  // Field 99, length-delimited: "mail".
  Record record = Complete();
  ASSERT_TRUE(record.ParseFromString(record.SerializeAsString() + "\x9a\x06\x04mail"));
  EXPECT_NE(policy_.Approve(Session("rest"), record).status().message().find("field number 99"),
            std::string::npos);

  // In every message that the schema knows, so that none can be forgotten.
  record = Complete();
  int places = 0;
  VisitMessages("record", &record, [&](const std::string& path, auto* message) {
    google::protobuf::UnknownFieldSet* unknown =
        message->GetReflection()->MutableUnknownFields(message);
    unknown->AddLengthDelimited(99, "mail");
    const absl::Status refused = policy_.Approve(Session("rest"), record).status();
    EXPECT_TRUE(absl::IsInvalidArgument(refused)) << path << ": " << refused;
    EXPECT_NE(refused.message().find(path + " (field number 99): not a field of the record schema"),
              std::string::npos)
        << path << ": " << refused;
    unknown->Clear();
    ++places;
  });
  EXPECT_GE(places, 12);
}

TEST_F(ExportPolicyTest, RefusesWhatIsNotOfAnAdmittedSession) {
  for (auto clear : {+[](AdmittedSession* s) { s->session_id.clear(); },
                     +[](AdmittedSession* s) { s->admission_rule.clear(); },
                     +[](AdmittedSession* s) { s->policy_digest.clear(); }}) {
    AdmittedSession session = Session("rest");
    clear(&session);
    const absl::Status refused = policy_.Approve(session, Complete()).status();
    EXPECT_TRUE(absl::IsInvalidArgument(refused));
    EXPECT_NE(refused.message().find("its session was never admitted; negotiate one, and what it "
                                     "measures is kept (stage session, rule admitted_session)"),
              std::string::npos)
        << refused;
  }
  AdmittedSession session = Session("rest");
  session.client_address = "";
  EXPECT_FALSE(policy_.Approve(session, Complete()).ok());
}

TEST_F(ExportPolicyTest, ScreensAllFreeText) {
  const struct {
    void (*change)(Record*);
    const char* field;
  } kCases[] = {
      {[](Record* r) {
         r->add_metadata()->set_key("contact");
         r->mutable_metadata(0)->set_value("me@example.net");
       },
       "metadata"},
      {[](Record* r) { r->set_end_reason("call 212-555-0100"); }, "end_reason"},
      {[](Record* r) { r->set_software("see https://example.net"); }, "software"},
      {[](Record* r) { r->mutable_result()->set_limit_detail("host 192.0.2.7"); },
       "result.limit_detail"},
  };
  for (const auto& c : kCases) {
    Record record = Complete();
    c.change(&record);
    policy::v1::Trace trace;
    const auto refused = policy_.Approve(Session("rest"), record, &trace);
    EXPECT_TRUE(absl::IsInvalidArgument(refused.status())) << c.field;
    EXPECT_EQ(trace.steps().rbegin()->stage(), "screening");
    EXPECT_EQ(trace.steps().rbegin()->field(), c.field);
  }
  Record record = Complete();
  record.add_metadata()->set_key("access");
  record.mutable_metadata(0)->set_value("fiber");
  EXPECT_EQ(policy_.Approve(Session("rest"), record)->record().metadata(0).value(), "fiber");
}

TEST_F(ExportPolicyTest, ARecordIsOfItsSessionsTime) {
  AdmittedSession session = Session("rest");
  session.negotiated_unix_ns = 1'000'000'000;
  EXPECT_TRUE(policy_.Approve(session, Complete()).ok());
  session.negotiated_unix_ns = 1'000'000'001;
  EXPECT_NE(policy_.Approve(session, Complete()).status().message().find("negotiated_at"),
            std::string::npos);
}

// What a record counts are packets of 5-tuples its session was admitted with, in its time.
TEST_F(ExportPolicyTest, ARecordJoinsItsSessionsFlows) {
  AdmittedSession session = Session("rest");
  session.flows = {"tuple 1", "tuple 2"};
  const auto approve = [&](std::vector<std::string> flows, policy::v1::Trace* trace = nullptr) {
    return policy_.Approve(session, Complete(), trace, {.flows = std::move(flows)});
  };
  EXPECT_TRUE(approve({"tuple 1"}).ok());
  EXPECT_TRUE(approve({"tuple 2", "tuple 1"}).ok());
  for (const std::vector<std::string>& foreign :
       {std::vector<std::string>{"tuple 3"}, {"tuple 1", "tuple 3"}, {""}}) {
    policy::v1::Trace trace;
    const auto refused = approve(foreign, &trace);
    ASSERT_TRUE(absl::IsInvalidArgument(refused.status()));
    EXPECT_NE(refused.status().message().find("only what was negotiated is kept (stage session, "
                                              "rule admitted_flow)"),
              std::string::npos)
        << refused.status();
    EXPECT_EQ(trace.steps().rbegin()->rule(), "admitted_flow");
    EXPECT_EQ(trace.steps().rbegin()->verdict(), policy::v1::REFUSED);
  }
  // One that never ran has none, and then it has counted nothing.
  EXPECT_TRUE(approve({}).ok());
  Record counted = Complete();
  counted.mutable_result()->set_received(1);
  EXPECT_FALSE(policy_.Approve(session, counted, nullptr, {.flows = {{}}}).ok());
}

TEST_F(ExportPolicyTest, ARecordIsOfItsSessionsTimeWindow) {
  constexpr int64_t kSecond = 1'000'000'000;
  AdmittedSession session = Session("rest");
  session.negotiated_unix_ns = 1 * kSecond;
  session.ended_unix_ns = 11 * kSecond;
  const auto approve = [&](int64_t first, int64_t last, bool own_clock) {
    Record record = Complete();
    record.mutable_result()->set_first_rx_unix_ns(static_cast<uint64_t>(first));
    record.mutable_result()->set_last_rx_unix_ns(static_cast<uint64_t>(last));
    return policy_.Approve(session, record, nullptr, {.own_clock = own_clock}).status();
  };
  EXPECT_TRUE(approve(2 * kSecond, 10 * kSecond, true).ok());
  EXPECT_TRUE(approve(1 * kSecond, 13 * kSecond, true).ok());
  EXPECT_NE(approve(2 * kSecond, 13 * kSecond + 1, true)
                .message()
                .find("result.last_rx_unix_ns: not within 2 s of its session's time"),
            std::string::npos);
  EXPECT_FALSE(approve(14 * kSecond, 15 * kSecond, true).ok());
  EXPECT_FALSE(approve(10 * kSecond, 9 * kSecond, false).ok());
  // By the peer's clock, or after a jump of one's own: not comparable, so nothing is lost for it.
  EXPECT_TRUE(approve(5'000 * kSecond, 5'008 * kSecond, false).ok());
}

TEST_F(ExportPolicyTest, RefusesIncompleteAndForeignRecords) {
  const struct {
    void (*change)(Record*);
    const char* field;
  } kCases[] = {
      {[](Record* r) { r->set_session_id("other"); }, "session_id"},
      {[](Record* r) { r->set_record_id("018f-id-up"); }, "record_id"},
      {[](Record* r) { r->set_direction(record::v1::DIRECTION_UNSPECIFIED); }, "direction"},
      {[](Record* r) { r->set_origin_active(false); }, "origin_active"},
      {[](Record* r) { r->clear_outcome(); }, "outcome"},
      {[](Record* r) { r->clear_end_reason(); }, "end_reason"},
      {[](Record* r) { r->clear_negotiated_at(); }, "negotiated_at"},
      {[](Record* r) { r->mutable_server()->clear_contact(); }, "server"},
      {[](Record* r) { r->mutable_result()->set_direction(record::v1::UP); }, "result.direction"},
  };
  for (const auto& c : kCases) {
    Record record = Complete();
    c.change(&record);
    const auto refused = policy_.Approve(Session("rest"), record);
    EXPECT_TRUE(absl::IsInvalidArgument(refused.status())) << c.field;
    EXPECT_NE(refused.status().message().find(c.field), std::string::npos) << refused.status();
  }
}

}  // namespace
}  // namespace weir::control
