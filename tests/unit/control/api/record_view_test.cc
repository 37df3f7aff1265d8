#include "control/api/record_view.h"

#include <gtest/gtest.h>

#include "control/export/export_policy.h"
#include "tests/unit/control/config/temp_dir.h"
#include "tests/unit/control/store/keep_session.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

constexpr char kViewedAddress[] = "198.51.100.9";
constexpr char kViewPolicy[] = R"(
  profile: "lab"
  admission { name: "r" effect: ALLOW }
  export { name: "now" effect: ALLOW match { experiment: "open" } address: "full" release_class: "public" }
  export { name: "bench" effect: ALLOW match { experiment: "bench" } address: "full" release_class: "operator_only" }
  export { name: "later" effect: ALLOW address: "full" release_class: "public" embargo_days: 9 })";

class RecordViewTest : public testing::Test {
 protected:
  RecordViewTest() {
    Keep("s1", "open");
    Keep("s2", "secret");
    Keep("s3", "bench");
  }

  void Keep(const std::string& id, const std::string& experiment) {
    record::v1::Record record = CompletedRecord(id);
    record.mutable_result()->set_received(7);
    KeepSession(store_.get(), ExportPolicy(policy_),
                {.session_id = id,
                 .admission_rule = "r",
                 .policy_digest = "sha256:abc",
                 .experiment = experiment,
                 .purpose = "p",
                 .client_address = kViewedAddress},
                {record});
  }

  ms::ListRecordsReply List(const std::string& as_role) {
    ms::ListRecordsRequest request;
    request.set_as_role(as_role);
    ms::ListRecordsReply reply;
    EXPECT_TRUE(view_.List(request, &reply).ok());
    return reply;
  }

  absl::StatusOr<ms::GetRecordReply> Get(const std::string& id, const std::string& as_role) {
    ms::GetRecordRequest request;
    request.set_record_id(id);
    request.set_as_role(as_role);
    ms::GetRecordReply reply;
    absl::Status status = view_.Get(request, &reply);
    if (!status.ok()) return status;
    return reply;
  }

  std::vector<AuditRow> Audited(const std::string& event) {
    EXPECT_TRUE(store_->Flush().ok());
    return *store_->ListAudit({.event = event});
  }

  const TempDir dir_;
  const std::shared_ptr<const Policy> policy_ = *Policy::Parse("p", kViewPolicy);
  const std::unique_ptr<Store> store_ = *Store::Open({.path = dir_.File("weir.db")});
  Admission admission_{Admission::Options{}, policy_};
  const RecordView view_{&admission_, store_.get()};
};

TEST_F(RecordViewTest, TheOperatorSeesTheOutlineOfWhatIsEmbargoed) {
  const ms::ListRecordsReply reply = List("");
  ASSERT_EQ(reply.records_size(), 3);
  ASSERT_EQ(reply.standings_size(), 3);
  EXPECT_EQ(reply.records(2).client().value(), kViewedAddress);
  EXPECT_EQ(reply.standings(2).state(), record::v1::RELEASED);
  EXPECT_EQ(reply.records(1).record_id(), "s2-down");
  EXPECT_FALSE(reply.records(1).has_client());
  EXPECT_FALSE(reply.records(1).has_result());
  EXPECT_EQ(reply.standings(1).state(), record::v1::EMBARGOED);
  EXPECT_FALSE(reply.standings(1).release_due().empty());
  EXPECT_EQ(reply.standings(1).withheld_size(), 3);
  EXPECT_EQ(reply.withheld(), 0u);
  // The bench is the operator's own; its addresses are nobody's public data, so reading them is
  // noted.
  EXPECT_EQ(reply.records(0).client().value(), kViewedAddress);
  const auto read = Audited("address_read");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].detail, "list, as operator: s3-down");
}

TEST_F(RecordViewTest, OthersSeeNoMoreThanTheyMay) {
  for (const char* reader : {"public", "partner:university", "researcher:other"}) {
    const ms::ListRecordsReply reply = List(reader);
    ASSERT_EQ(reply.records_size(), 1) << reader;
    EXPECT_EQ(reply.records(0).record_id(), "s1-down");
    EXPECT_EQ(reply.withheld(), 2u);
    EXPECT_TRUE(absl::IsPermissionDenied(Get("s2-down", reader).status()));
    EXPECT_TRUE(Get("s1-down", reader).ok());
  }
  EXPECT_EQ(Audited("records_withheld").size(), 6u);
  EXPECT_TRUE(Audited("address_read").empty());
}

TEST_F(RecordViewTest, AnotherReaderNeverShowsMoreThanTheOperatorMaySee) {
  const auto reply = Get("s2-down", "researcher:secret");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_FALSE(reply->record().has_client());
  EXPECT_FALSE(reply->record().has_result());
  EXPECT_TRUE(absl::IsInvalidArgument(Get("s2-down", "root").status()));
  EXPECT_TRUE(absl::IsNotFound(Get("s9-down", "").status()));
}

TEST_F(RecordViewTest, ReleaseAndErasureShowAtOnce) {
  ms::ReleaseRecordRequest release;
  release.set_id("s2");
  ms::ChangeRecordReply changed;
  ASSERT_TRUE(view_.Release(release, &changed).ok());
  ASSERT_EQ(changed.changed_size(), 1);
  EXPECT_EQ(Get("s2-down", "public")->record().client().value(), kViewedAddress);

  ms::AnonymiseRecordRequest erase;
  erase.set_id("s2");
  erase.set_proof("letter of 198.51.100.9");
  EXPECT_TRUE(absl::IsInvalidArgument(view_.Anonymise(erase, &changed)))
      << "an address must not get into the audit log";
  erase.set_proof("provider letter, ticket 17");
  ASSERT_TRUE(view_.Anonymise(erase, &changed).ok());
  const auto after = Get("s2-down", "public");
  EXPECT_EQ(after->record().client().value(), "");
  EXPECT_EQ(after->standing().state(), record::v1::ANONYMISED);
  EXPECT_TRUE(after->standing().address_erased());
  const auto audited = Audited("record_anonymised");
  ASSERT_EQ(audited.size(), 1u);
  EXPECT_EQ(audited[0].detail, "s2-down: on request, shown by provider letter, ticket 17");
}

}  // namespace
}  // namespace weir::control
