// Who reads what in the query store, asked of PostgreSQL as each reader: the whole matrix.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "control/admission/disclosure_names.h"
#include "control/export/delivery/postgres_engine.h"
#include "control/export/disclosure.h"
#include "control/export/disclosure_table.h"
#include "tests/export/postgres_cluster.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::test {
namespace {

using control::Field;
using control::Role;

constexpr char kDatabase[] = "matrix";
constexpr record::v1::ReleaseState kStates[] = {record::v1::COLLECTED, record::v1::EMBARGOED,
                                                record::v1::RELEASED, record::v1::ANONYMISED};
constexpr record::v1::ReleaseClass kClasses[] = {record::v1::PUBLIC, record::v1::OPERATOR_ONLY};
// Where a field of a record is; in the order of Field.
constexpr const char* kTables[] = {"record", "measurement", "metadata", "client"};
// A column of it that only somebody who may read the field can have.
constexpr const char* kColumns[] = {"contact", "result", "value", "address"};

// A record in every state and class, of an experiment of the researcher's and of another.
class PostgresDisclosureTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    PostgresCluster& cluster = SharedCluster();
    cluster.Query("postgres", absl::StrCat("CREATE DATABASE ", kDatabase, " OWNER weir_owner"));
    delivery::v1::PullReply batch;
    int number = 0;
    for (const auto state : kStates) {
      for (const auto release_class : kClasses) {
        for (const char* experiment : {"mine", "other"}) {
          Add(++number, state, release_class, experiment, &batch);
        }
      }
    }
    Deliver(batch);
    for (const char* role : {"public", "operator", "researcher", "partner"}) {
      cluster.Query(kDatabase,
                    absl::StrCat("CREATE ROLE reading_", role, " LOGIN IN ROLE weir_", role));
    }
    cluster.Query(kDatabase, "INSERT INTO weir.researcher VALUES ('reading_researcher', 'mine')");
  }

  static void Deliver(const delivery::v1::PullReply& batch) {
    const control::TempDir dir;
    dir.Write("password", absl::StrCat("*:*:*:weir_export:", PostgresCluster::kPassword));
    chmod(dir.File("password").c_str(), 0600);
    config::v1::Postgres config;
    config.set_conninfo(SharedCluster().Conninfo(kDatabase, "weir_export"));
    config.set_password_file(dir.File("password"));
    control::PostgresEngine engine(config);
    const absl::Status opened = engine.Open();
    ASSERT_TRUE(opened.ok()) << opened;
    const auto outcomes = engine.Deliver(batch, engine.Encode(batch));
    ASSERT_TRUE(outcomes.ok()) << outcomes.status();
    for (const control::Outcome& outcome : *outcomes) {
      ASSERT_FALSE(outcome.refused) << outcome.reason;
    }
  }

  // What this node's policy lets be read holds from now on.
  static void Hold(const control::Policy& policy, const std::string& node = "node") {
    delivery::v1::PullReply batch;
    *batch.mutable_disclosure() = control::DescribeDisclosure(policy, node);
    Deliver(batch);
  }
  static std::shared_ptr<const control::Policy> WithRules(const std::string& rules) {
    auto policy = control::Policy::Parse("p", absl::StrCat("profile: 'lab' ", rules));
    EXPECT_TRUE(policy.ok()) << policy.status();
    return *policy;
  }
  // No node delivers any more, and nothing is withheld.
  static void Forget() {
    SharedCluster().Query(kDatabase, "DELETE FROM weir.withheld");
    SharedCluster().Query(kDatabase, "DELETE FROM weir.node_policy");
  }

  using May =
      std::function<control::Fields(Role, record::v1::ReleaseState, record::v1::ReleaseClass)>;
  // Asked of the server as each reader, of each field of each record.
  static void ExpectMatrix(const May& may_read) {
    ASSERT_EQ(all_.size(), 16u);
    int cells = 0;
    for (const Role role : {Role::kPublic, Role::kOperator, Role::kResearcher,
                            Role::kOtherResearcher, Role::kPartner}) {
      for (size_t field = 0; field < control::kFieldNames.size(); ++field) {
        const auto seen = Read(Login(role), kTables[field], kColumns[field]);
        for (const auto& [id, held] : all_) {
          const bool of_mine = held.record.experiment() == "mine";
          if (role == Role::kResearcher && !of_mine) continue;
          if (role == Role::kOtherResearcher && of_mine) continue;
          const bool may = may_read(role, held.state, held.record.release_class())
                               .Has(static_cast<Field>(field));
          EXPECT_EQ(seen.contains(id), may)
              << control::kRoleNames[static_cast<size_t>(role)] << " reading "
              << control::kFieldNames[field] << " of a record that is "
              << record::v1::ReleaseState_Name(held.state) << ", "
              << record::v1::ReleaseClass_Name(held.record.release_class());
          ++cells;
        }
      }
    }
    EXPECT_EQ(cells, (3 * 16 + 8 + 8) * 4);
  }
  static void ExpectMatrixOf(const control::Policy& policy) {
    ExpectMatrix([&](Role role, auto state, auto release_class) {
      return control::Disclose(policy, role, state, release_class);
    });
  }

  static void Add(int number, record::v1::ReleaseState state,
                  record::v1::ReleaseClass release_class, const std::string& experiment,
                  delivery::v1::PullReply* batch) {
    delivery::v1::Item* item = batch->add_items();
    record::v1::Record& record = *item->mutable_record();
    record.set_session_id(absl::StrCat("01890000-0000-7000-8000-0000000000", 10 + number));
    record.set_record_id(record.session_id() + "-up");
    record.set_direction(record::v1::UP);
    record.set_outcome(record::v1::COMPLETED);
    record.mutable_negotiated_at()->set_seconds(1'795'000'000);
    record.set_experiment(experiment);
    record.mutable_server()->set_contact("desk");
    record.set_release_class(release_class);
    record.set_origin_active(true);
    record.mutable_result()->set_received(1);
    record::v1::Metadata* metadata = record.add_metadata();
    metadata->set_key("access");
    metadata->set_value("fiber");
    record.mutable_client()->set_mode(record::v1::ADDRESS_FULL);
    record.mutable_client()->set_value(number % 2 == 0 ? "198.51.100.7" : "2001:db8::7");
    item->set_record_id(record.record_id());
    item->set_version(number);
    item->set_state(state);
    all_[record.record_id()] = {record, state};
  }

  static std::string Login(Role role) {
    if (role == Role::kOtherResearcher) return Login(Role::kResearcher);
    return absl::StrCat("reading_", control::kRoleNames[static_cast<size_t>(role)]);
  }

  static std::set<std::string> Read(const std::string& login, const std::string& from,
                                    const std::string& column) {
    std::set<std::string> ids;
    for (const auto& row : SharedCluster().Query(
             kDatabase,
             absl::StrCat("SELECT record_id FROM weir.", from, " WHERE ", column, " IS NOT NULL"),
             login)) {
      ids.insert(row[0]);
    }
    return ids;
  }

  // The code of what the server answers, "" if it did so.
  static std::string Refusal(const std::string& login, const std::string& sql) {
    auto connection =
        control::PostgresConnection::Open(SharedCluster().Conninfo(kDatabase, login), "");
    EXPECT_TRUE(connection.ok()) << connection.status();
    const auto rows = connection->Execute(sql);
    return rows.ok() ? "" : std::string(rows.status().message());
  }

  struct Held {
    record::v1::Record record;
    record::v1::ReleaseState state;
  };
  static inline std::map<std::string, Held> all_;
};

TEST_F(PostgresDisclosureTest, EachReaderSeesWhatTheMatrixSaysAndNothingElse) {
  ExpectMatrix(control::DefaultDisclosure);
}

constexpr char kStrict[] = R"(
  disclosure { name: "all" role: "public" role: "operator" role: "researcher"
               role: "other_researcher" role: "partner" state: "released" state: "anonymised"
               field: "outline" field: "measurement" }
  disclosure { name: "team" role: "researcher" state: "embargoed" field: "outline" })";
constexpr char kWider[] = R"(
  disclosure { name: "run" role: "operator" state: "collected" state: "embargoed" state: "released"
               field: "outline" field: "measurement" field: "metadata" field: "client" })";

TEST_F(PostgresDisclosureTest, TheRulesOfTheSitesPolicyHoldThere) {
  for (const char* rules : {kStrict, kWider, ""}) {
    const auto policy = WithRules(rules);
    Hold(*policy);
    SCOPED_TRACE(rules);
    ExpectMatrixOf(*policy);
    EXPECT_EQ(SharedCluster().Value(kDatabase, "SELECT policy_digest FROM weir.node_policy"),
              policy->digest());
  }
  // Of several nodes what all of them let be read, whoever came last.
  const auto strict = WithRules(kStrict), wider = WithRules(kWider);
  Hold(*strict, "one");
  Hold(*wider, "two");
  Hold(*WithRules(""), "node");
  ExpectMatrix([&](Role role, auto state, auto release_class) {
    return control::Disclose(*strict, role, state, release_class) &
           control::Disclose(*wider, role, state, release_class) &
           control::DefaultDisclosure(role, state, release_class);
  });
  SharedCluster().Query(kDatabase, "DELETE FROM weir.node_policy WHERE node <> 'one'");
  ExpectMatrixOf(*strict);
  Forget();
  ExpectMatrix(control::DefaultDisclosure);
}

// Not even whoever delivers opens what no policy can.
TEST_F(PostgresDisclosureTest, NothingGoesBeyondTheCeiling) {
  delivery::v1::PullReply batch;
  batch.mutable_disclosure()->set_node("forged");
  batch.mutable_disclosure()->set_digest("d");
  for (const char* role : control::kRoleNames) {
    for (const char* state : control::kStateNames) {
      for (const char* release_class : {"public", "operator_only"}) {
        delivery::v1::Readable* readable = batch.mutable_disclosure()->add_readable();
        readable->set_role(role);
        readable->set_state(state);
        readable->set_release_class(release_class);
        for (const char* field : control::kFieldNames) readable->add_field(field);
      }
    }
  }
  Deliver(batch);
  ExpectMatrix(control::DisclosureCeiling);
  Forget();
}

TEST_F(PostgresDisclosureTest, NoWayRoundShowsMore) {
  for (const Role role : {Role::kPublic, Role::kOperator, Role::kResearcher, Role::kPartner}) {
    const std::string login = Login(role);
    const auto addresses = Read(login, "client", "address");
    EXPECT_EQ(Read(login, "result", "address"), addresses) << "the view is the reader's";
    // Through functions and sorts that would tell of rows they are given before the policy.
    EXPECT_EQ(SharedCluster().Value(kDatabase,
                                    "SELECT count(*) FROM weir.client "
                                    "WHERE abbrev(address) <> ''",
                                    login),
              absl::StrCat(addresses.size()));
    for (const char* sql :
         {"SELECT * FROM weir.erasure", "SELECT weir.deliver('[]', 1, '')",
          "SELECT weir.disclose('{}')", "SELECT weir.combine_disclosure()",
          "DELETE FROM weir.withheld", "DELETE FROM weir.node_policy",
          "UPDATE weir.ceiling SET founding = true", "SELECT weir.erase('x', 1, 'released')",
          "DELETE FROM weir.client", "UPDATE weir.client SET address = NULL",
          "INSERT INTO weir.disclosure VALUES ('public', "
          "'collected', 'public', 'client')",
          "DELETE FROM weir.disclosure",
          "INSERT INTO weir.researcher VALUES (current_user, 'other')", "SET ROLE weir_owner",
          "SET ROLE weir_writer", "ALTER TABLE weir.client DISABLE ROW LEVEL SECURITY",
          "CREATE TABLE weir.mine (a int)", "SELECT * FROM weir.client FOR UPDATE"}) {
      EXPECT_NE(Refusal(login, sql), "") << login << ": " << sql;
    }
    EXPECT_NE(Refusal(login, "SET row_security = off; SELECT * FROM weir.client"), "") << login;
  }
}

// Other roles than these see nothing, and who only delivers touches no table.
TEST_F(PostgresDisclosureTest, TheWriterOwnsNothingAndReadsNothing) {
  PostgresCluster& cluster = SharedCluster();
  cluster.Query(kDatabase, "CREATE ROLE only_delivers LOGIN IN ROLE weir_writer");
  cluster.Query(kDatabase, "CREATE ROLE nobody_here LOGIN");
  EXPECT_EQ(cluster.Value(kDatabase,
                          "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner "
                          "WHERE r.rolname IN ('weir_writer', 'weir_export')"),
            "0");
  for (const char* login : {"only_delivers", "nobody_here"}) {
    for (const char* table : {"record", "measurement", "metadata", "client", "erasure", "result"}) {
      for (const char* verb : {"SELECT * FROM weir.", "DELETE FROM weir.", "TRUNCATE weir."}) {
        EXPECT_NE(Refusal(login, absl::StrCat(verb, table)), "") << login << verb << table;
      }
    }
    EXPECT_NE(Refusal(login, "SET ROLE weir_owner"), "");
    EXPECT_NE(Refusal(login, "SELECT weir.erase('x', 1, 'released')"), "");
  }
  EXPECT_EQ(Refusal("only_delivers", "SELECT weir.deliver('[]', 1, '')"), "");
  EXPECT_NE(Refusal("nobody_here", "SELECT weir.deliver('[]', 1, '')"), "");
}

// A database narrows what the policies let be read, at once and whatever they say later.
TEST_F(PostgresDisclosureTest, TheMatrixCanBeNarrowed) {
  PostgresCluster& cluster = SharedCluster();
  EXPECT_FALSE(Read("reading_partner", "client", "address").empty());
  cluster.Query(kDatabase,
                "INSERT INTO weir.withheld (reader, field) VALUES ('partner', 'client')");
  EXPECT_TRUE(Read("reading_partner", "client", "address").empty());
  EXPECT_FALSE(Read("reading_partner", "measurement", "result").empty());
  Hold(*WithRules(""));
  EXPECT_TRUE(Read("reading_partner", "client", "address").empty());
  EXPECT_FALSE(Read("reading_public", "client", "address").empty());
  Forget();
  ExpectMatrix(control::DefaultDisclosure);
}

}  // namespace
}  // namespace weir::test
