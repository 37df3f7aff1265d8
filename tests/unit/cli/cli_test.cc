#include "control/cli/cli.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "control/cli/exit_code.h"
#include "tests/unit/cli/fake_admin.h"
#include "tests/unit/control/config/temp_dir.h"

namespace weir::cli {
namespace {

using google::protobuf::Struct;
using measurement::v1::RunTestUpdate;

Struct ParseJson(const std::string& text) {
  Struct object;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(text, &object).ok()) << text;
  return object;
}

record::v1::DirectionResult Result(record::v1::Direction direction) {
  record::v1::DirectionResult result;
  result.set_direction(direction);
  result.set_admitted_ip_bps(1e9);
  result.set_achieved_ip_bps(998e6);
  result.set_achieved_ethernet_bps(1010e6);
  result.set_sent(1'000'000);
  result.set_unsent(12);
  result.set_received(999'000);
  result.set_lost(1'000);
  result.set_reordered(3);
  result.set_duplicated(2);
  result.set_late(1);
  result.set_jitter_ns(1500);
  auto* delay = result.mutable_one_way_delay();
  delay->set_samples(999'000);
  delay->set_clocks_synchronised(true);
  delay->set_min_ns(10'000);
  delay->set_p50_ns(12'000);
  delay->set_p99_ns(20'000);
  delay->set_p999_ns(30'000);
  delay->set_max_ns(2'000'000);
  result.set_limit(record::v1::LIMIT_PATH);
  result.set_limit_detail("1,000 packets left the sender and never came");
  for (uint32_t i = 0; i < 2; ++i) {
    auto* interval = result.add_intervals();
    interval->set_index(i);
    interval->set_start_ns(i * 1'000'000'000ull);
    interval->set_length_ns(1'000'000'000);
    interval->set_received(499'500);
    interval->set_ip_bps(998e6);
  }
  return result;
}

RunTestUpdate Grant() {
  RunTestUpdate update;
  auto* grant = update.mutable_grant();
  grant->set_session_id("018f");
  grant->set_admission_rule("bench");
  grant->set_policy_digest("sha256:abc");
  grant->add_record_ids("018f-down");
  grant->add_reduced_by("slow-lane");
  auto* direction = grant->add_directions();
  direction->set_direction(record::v1::DOWN);
  direction->mutable_parameters()->set_rate_bps(1'000'000'000);
  direction->mutable_parameters()->set_streams(1);
  direction->mutable_parameters()->set_ip_version(4);
  return update;
}

RunTestUpdate Progress(uint32_t index) {
  RunTestUpdate update;
  auto* progress = update.mutable_progress();
  progress->set_state("running");
  progress->add_directions(record::v1::DOWN);
  auto* interval = progress->add_intervals();
  interval->set_index(index);
  interval->set_length_ns(1'000'000'000);
  interval->set_received(100);
  interval->set_lost(1);
  interval->set_ip_bps(5e6);
  return update;
}

RunTestUpdate Finished(record::v1::Outcome outcome = record::v1::COMPLETED) {
  RunTestUpdate update;
  auto* result = update.mutable_result();
  result->set_session_id("018f");
  result->set_outcome(outcome);
  result->set_end_reason(outcome == record::v1::COMPLETED ? "duration" : "feedback_lost");
  *result->add_results() = Result(record::v1::DOWN);
  result->add_record_ids("018f-down");
  result->set_policy_digest("sha256:abc");
  return update;
}

// Reads standard error, and at that line about a running test sends this process a signal.
class Person {
 public:
  Person(size_t lines, int signal) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    reader_ = std::thread([from = ends[0], lines, signal] {
      std::string seen;
      bool sent = false;
      char text[512];
      for (ssize_t got; (got = read(from, text, sizeof(text))) > 0;) {
        seen.append(text, static_cast<size_t>(got));
        const std::vector<std::string> parts = absl::StrSplit(seen, "running");
        if (sent || parts.size() <= lines) continue;
        sent = kill(getpid(), signal) == 0;
      }
      close(from);
    });
  }
  ~Person() {
    dup2(before_, STDERR_FILENO);
    close(before_);
    reader_.join();
  }
  Person(const Person&) = delete;
  Person& operator=(const Person&) = delete;

 private:
  const int before_ = dup(STDERR_FILENO);
  std::thread reader_;
};

class CliTest : public testing::Test {
 protected:
  ExitCode Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--admin", socket_});
    return RunBare(arguments);
  }
  ExitCode RunBare(const std::vector<std::string>& arguments) {
    out_.str("");
    err_.str("");
    return static_cast<ExitCode>(RunCli(arguments, terminal_, out_, err_, &interrupt_));
  }
  bool OutHas(const std::string& text) const { return out_.str().find(text) != std::string::npos; }
  bool ErrHas(const std::string& text) const { return err_.str().find(text) != std::string::npos; }

  Interrupt interrupt_;  // Before gRPC's threads.
  const control::TempDir dir_;
  const std::string socket_ = dir_.File("admin.sock");
  FakeAdmin admin_{socket_};
  Terminal terminal_{false, false, false};
  std::ostringstream out_, err_;
};

TEST_F(CliTest, UsageErrorsNameTheFlagAndExitWith2) {
  EXPECT_EQ(Run({"test", "lab", "--rate", "fast"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("--rate")) << err_.str();
  EXPECT_EQ(Run({"test"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("SERVER")) << err_.str();
  EXPECT_EQ(Run({"test", "lab", "--colour", "red"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("--colour") && ErrHas("weir test --help")) << err_.str();
  EXPECT_EQ(Run({"test", "lab", "--streams", "many"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("--streams")) << err_.str();
  EXPECT_EQ(Run({}), ExitCode::kUsage);
  EXPECT_EQ(Run({"dance"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"records"}), ExitCode::kUsage);
}

TEST_F(CliTest, HelpTeaches) {
  EXPECT_EQ(RunBare({"--help"}), ExitCode::kOk);
  EXPECT_TRUE(OutHas("Exit codes: 0 ok")) << out_.str();
  EXPECT_EQ(RunBare({"test", "--help"}), ExitCode::kOk);
  EXPECT_TRUE(OutHas("Examples:") && OutHas("--direction")) << out_.str();
  EXPECT_EQ(RunBare({"--version"}), ExitCode::kOk);
  EXPECT_TRUE(OutHas("weir ")) << out_.str();
}

TEST_F(CliTest, NobodyOnTheSocketIsUnreachable) {
  const std::string missing = dir_.File("nosuch.sock");
  EXPECT_EQ(RunBare({"info", "--admin", missing}), ExitCode::kUnreachable);
  EXPECT_TRUE(ErrHas(missing) && ErrHas("is weir-control running?")) << err_.str();
  dir_.Write("stale.sock", "");
  EXPECT_EQ(RunBare({"sessions", "--admin", dir_.File("stale.sock")}), ExitCode::kUnreachable);
}

TEST_F(CliTest, ResultShowsEverythingTheTestMeasured) {
  admin_.updates = {Grant(), Progress(0), Finished()};
  EXPECT_EQ(Run({"test", "lab", "--direction", "down"}), ExitCode::kOk);
  for (const char* text : {"admitted   by rule \"bench\"",
                           "reduced by slow-lane",
                           "DOWN  server to client",
                           "admitted        1.000 Gbit/s IP",
                           "achieved        998.000 Mbit/s IP, 1.010 Gbit/s Ethernet",
                           "sent 1,000,000, unsent 12, received 999,000",
                           "lost 1,000 (0.1 %)",
                           "reordered 3",
                           "duplicated 2",
                           "late 1",
                           "min 10.000 us, p50 12.000 us, p99 20.000 us\n",
                           "p99.9 30.000 us",
                           "max 2.000 ms",
                           "clocks are synchronised",
                           "jitter          1.500 us",
                           "the path: 1,000 packets",
                           "1.0-2.0",
                           "sha256:abc",
                           "018f-down",
                           "completed"}) {
    EXPECT_TRUE(OutHas(text)) << text << "\n" << out_.str();
  }
  EXPECT_EQ(out_.str().find('\033'), std::string::npos) << "no colour unless on a terminal";
  EXPECT_EQ(err_.str(), "") << "quiet when piped";
}

TEST_F(CliTest, JsonIsTheResultAndNothingElse) {
  admin_.updates = {Grant(), Progress(0), Finished()};
  EXPECT_EQ(Run({"test", "lab", "--json"}), ExitCode::kOk);
  const Struct json = ParseJson(out_.str());
  EXPECT_EQ(json.fields().at("outcome").string_value(), "COMPLETED");
  const auto& result = json.fields().at("results").list_value().values(0).struct_value().fields();
  EXPECT_EQ(result.at("direction").string_value(), "DOWN");
  EXPECT_EQ(result.at("lost").string_value(), "1000") << "64-bit integers are strings";
  EXPECT_EQ(result.at("admitted_ip_bps").number_value(), 1e9);
  EXPECT_EQ(result.at("receiver_port_missed").string_value(), "0") << "zero is printed";
}

TEST_F(CliTest, AbortedTestShowsItsResultAndExitsWith5) {
  admin_.updates = {Finished(record::v1::ABORTED)};
  EXPECT_EQ(Run({"test", "lab"}), ExitCode::kAborted);
  EXPECT_TRUE(OutHas("aborted (feedback_lost)")) << out_.str();
}

TEST_F(CliTest, RejectionNamesRuleFieldAndContact) {
  RunTestUpdate update;
  update.mutable_rejection()->set_stage("limit");
  update.mutable_rejection()->set_rule("guest");
  update.mutable_rejection()->set_field("directions[down].parameters.duration_ns");
  update.mutable_rejection()->set_message("20 s is longer than allowed; ask for at most 10 s");
  update.mutable_rejection()->set_operator_("Example Lab");
  update.mutable_rejection()->set_contact("noc@example.net");
  admin_.updates = {update};
  EXPECT_EQ(Run({"test", "lab"}), ExitCode::kRefused);
  for (const char* text : {"\"guest\"", "duration_ns", "at most 10 s", "noc@example.net"}) {
    EXPECT_TRUE(ErrHas(text)) << text << "\n" << err_.str();
  }
  EXPECT_EQ(Run({"test", "lab", "--json"}), ExitCode::kRefused);
  const Struct json = ParseJson(out_.str());
  EXPECT_EQ(json.fields().at("rejection").struct_value().fields().at("rule").string_value(),
            "guest");
  admin_.updates[0].mutable_rejection()->set_stage("protocol");
  EXPECT_EQ(Run({"test", "lab"}), ExitCode::kVersion);
}

TEST_F(CliTest, FailuresHaveTheirExitCodes) {
  const std::pair<measurement::v1::TestFailure::Kind, ExitCode> kCases[] = {
      {measurement::v1::TestFailure::BAD_REQUEST, ExitCode::kUsage},
      {measurement::v1::TestFailure::UNREACHABLE, ExitCode::kUnreachable},
      {measurement::v1::TestFailure::VERSION_MISMATCH, ExitCode::kVersion},
      {measurement::v1::TestFailure::ABORTED, ExitCode::kAborted},
      {measurement::v1::TestFailure::LOCAL, ExitCode::kLocal},
      {measurement::v1::TestFailure::KIND_UNSPECIFIED, ExitCode::kInternal},
  };
  for (const auto& [kind, code] : kCases) {
    RunTestUpdate update;
    update.mutable_failure()->set_kind(kind);
    update.mutable_failure()->set_field("port");
    update.mutable_failure()->set_message("gone");
    admin_.updates = {update};
    EXPECT_EQ(Run({"test", "lab"}), code);
    EXPECT_TRUE(ErrHas("weir: port: gone")) << err_.str();
  }
  admin_.updates = {};
  EXPECT_EQ(Run({"test", "lab"}), ExitCode::kInternal) << "an end without a result";
  admin_.test_status = grpc::Status(grpc::StatusCode::UNAVAILABLE, "socket closed");
  EXPECT_EQ(Run({"test", "lab"}), ExitCode::kLocal);
}

TEST_F(CliTest, ServerThatCannotBeAsked) {
  admin_.remote_status = grpc::Status(grpc::StatusCode::UNAVAILABLE, "connection refused");
  EXPECT_EQ(Run({"test", "192.0.2.1:9"}), ExitCode::kUnreachable);
  EXPECT_TRUE(ErrHas("192.0.2.1:9") && ErrHas("connection refused")) << err_.str();
  admin_.remote_status = grpc::Status::OK;
  admin_.server.set_protocol_version(2);
  EXPECT_EQ(Run({"test", "lab"}), ExitCode::kVersion);
  EXPECT_TRUE(ErrHas("version 2") && ErrHas("version 1")) << err_.str();
}

TEST_F(CliTest, NoticeMustBeAccepted) {
  admin_.server.set_notice("Your address is published.");
  admin_.server.set_notice_digest("sha256:n");
  admin_.updates = {Finished()};
  EXPECT_EQ(Run({"test", "lab"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("Your address is published.") && ErrHas("--accept-notice")) << err_.str();
  EXPECT_EQ(admin_.test_request.remote().address(), "") << "nothing was asked";

  EXPECT_EQ(Run({"test", "lab", "--accept-notice"}), ExitCode::kOk);
  EXPECT_TRUE(ErrHas("Your address is published.")) << "shown all the same";
  EXPECT_EQ(admin_.test_request.accepted_notice_digest(), "sha256:n");

  EXPECT_EQ(Run({"test", "lab", "--accept-notice", "--json"}), ExitCode::kOk);
  EXPECT_EQ(err_.str(), "");
}

// The answer comes from standard input, which the test replaces by a pipe.
TEST_F(CliTest, NoticeCanBeAnswered) {
  admin_.server.set_notice("Your address is published.");
  admin_.updates = {Finished()};
  terminal_ = Terminal(false, false, true);
  for (const auto& [answer, code] : {std::pair{"y\n", ExitCode::kOk},
                                     {"n\n", ExitCode::kAborted},
                                     {"\n", ExitCode::kAborted},
                                     {"", ExitCode::kAborted}}) {
    int fds[2];
    ASSERT_EQ(pipe(fds), 0);
    ASSERT_EQ(write(fds[1], answer, strlen(answer)), static_cast<ssize_t>(strlen(answer)));
    close(fds[1]);
    const int saved = dup(STDIN_FILENO);
    dup2(fds[0], STDIN_FILENO);
    EXPECT_EQ(Run({"test", "lab"}), code) << answer;
    dup2(saved, STDIN_FILENO);
    close(saved);
    close(fds[0]);
  }
}

TEST_F(CliTest, InterruptEndsTheTestAndShowsWhatWasMeasured) {
  admin_.updates = {Grant(), Progress(0), Progress(1), Progress(1)};
  admin_.hang_after_updates = true;
  terminal_ = Terminal(false, true, false);
  const Person person(3, SIGINT);
  EXPECT_EQ(Run({"test", "lab", "--json"}), ExitCode::kAborted);
  for (int i = 0; i < 200 && !admin_.cancelled; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(admin_.cancelled) << "the test itself was ended";
  const Struct json = ParseJson(out_.str());
  EXPECT_EQ(json.fields().at("end_reason").string_value(), "interrupted");
  ASSERT_EQ(json.fields().at("results").list_value().values_size(), 1) << out_.str();
  const auto& result = json.fields().at("results").list_value().values(0).struct_value().fields();
  EXPECT_EQ(result.at("received").string_value(), "200") << "a repeated interval counts once";
  EXPECT_EQ(result.at("lost").string_value(), "2");
  EXPECT_EQ(result.at("achieved_ip_bps").number_value(), 5e6);
}

TEST_F(CliTest, InterruptPrefersTheStoredRecord) {
  admin_.updates = {Grant(), Progress(0)};
  admin_.hang_after_updates = true;
  auto* record = admin_.records.add_records();
  record->set_record_id("018f-down");
  *record->mutable_result() = Result(record::v1::DOWN);
  terminal_ = Terminal(false, true, false);
  const Person person(1, SIGTERM);
  EXPECT_EQ(Run({"test", "lab"}), ExitCode::kAborted);
  EXPECT_TRUE(OutHas("lost 1,000 (0.1 %)")) << out_.str();
  EXPECT_TRUE(OutHas("aborted (interrupted)")) << out_.str();
}

TEST_F(CliTest, Info) {
  *admin_.node.mutable_server() = admin_.server;
  admin_.node.set_sessions_active(3);
  EXPECT_EQ(Run({"info"}), ExitCode::kOk);
  EXPECT_TRUE(OutHas("Example Lab") && OutHas("3 active") && OutHas("data")) << out_.str();
  EXPECT_EQ(Run({"info", "--json"}), ExitCode::kOk);
  const Struct json = ParseJson(out_.str());
  EXPECT_TRUE(json.fields().at("dataplane_connected").bool_value());
  EXPECT_EQ(json.fields().at("sessions_active").number_value(), 3);
  admin_.server.set_notice("Your address is published.");
  EXPECT_EQ(Run({"info", "lab"}), ExitCode::kOk);
  EXPECT_TRUE(OutHas("Your address is published.")) << out_.str();
}

TEST_F(CliTest, RecordsOnTheirWayToThePublic) {
  auto* record = admin_.records.add_records();
  record->set_record_id("018f-down");
  auto* standing = admin_.records.add_standings();
  standing->set_record_id("018f-down");
  standing->set_state(record::v1::EMBARGOED);
  standing->set_release_due("2027-01-31T00:00:00.000Z");
  for (const char* field : {"measurement", "metadata", "client"}) standing->add_withheld(field);
  admin_.records.set_withheld(2);
  admin_.records.set_next_before_id("018f-down");
  EXPECT_EQ(Run({"records", "list", "--as", "partner:university"}), ExitCode::kOk);
  EXPECT_EQ(admin_.records_request.as_role(), "partner:university");
  EXPECT_TRUE(OutHas("embargoed until 2027-01-31") && OutHas("(withheld)") &&
              OutHas("2 more may not be read before they are released") &&
              OutHas("--before 018f-down"))
      << out_.str();
  EXPECT_EQ(Run({"records", "show", "018f-down", "--as", "public"}), ExitCode::kOk);
  EXPECT_EQ(admin_.record_request.as_role(), "public");
  EXPECT_TRUE(OutHas("withheld until it is released")) << out_.str();

  standing->set_address_erased(true);
  *admin_.change.add_changed() = *standing;
  EXPECT_EQ(Run({"records", "release", "018f", "--reason", "paper"}), ExitCode::kOk);
  EXPECT_EQ(admin_.release_request.id(), "018f");
  EXPECT_EQ(admin_.release_request.reason(), "paper");
  EXPECT_EQ(Run({"records", "anonymise", "018f"}), ExitCode::kOk);
  EXPECT_EQ(admin_.anonymise_request.proof(), "");
  EXPECT_EQ(Run({"records", "erase-request", "018f"}), ExitCode::kUsage) << "needs a proof";
  EXPECT_EQ(Run({"records", "erase-request", "018f", "--proof", "letter"}), ExitCode::kOk);
  EXPECT_EQ(admin_.anonymise_request.proof(), "letter");
  EXPECT_TRUE(OutHas("018f-down  now embargoed until 2027-01-31, address erased")) << out_.str();
}

TEST_F(CliTest, ExportStatusAndDeadLetters) {
  EXPECT_EQ(Run({"export", "status"}), ExitCode::kOk);
  EXPECT_TRUE(OutHas("is weir-export running?")) << out_.str();
  EXPECT_EQ(Run({"export", "dead"}), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "no dead letters\n");
  auto* one = admin_.exported.add_destinations();
  one->mutable_destination()->set_name("mlab");
  one->mutable_destination()->set_recipient("public-archive");
  one->set_delivered(12'345);
  one->set_trouble("no space left");
  auto* letter = admin_.exported.add_dead_letters();
  letter->set_record_id("018f-up");
  letter->set_reason("raw.result: no");
  EXPECT_EQ(Run({"export", "status"}), ExitCode::kOk);
  EXPECT_TRUE(OutHas("mlab") && OutHas("public-archive") && OutHas("12,345") &&
              OutHas("trouble: no space left"))
      << out_.str();
  EXPECT_EQ(Run({"export", "dead", "--limit", "7"}), ExitCode::kOk);
  EXPECT_EQ(admin_.export_request.dead_letters(), 7u);
  EXPECT_TRUE(OutHas("018f-up") && OutHas("raw.result: no")) << out_.str();
  EXPECT_EQ(Run({"export", "status", "--json"}), ExitCode::kOk);
  EXPECT_EQ(ParseJson(out_.str()).fields().count("dead_letters"), 1u);
}

TEST_F(CliTest, RecordsAndSessions) {
  EXPECT_EQ(Run({"records", "list"}), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "no records\n");
  auto* record = admin_.records.add_records();
  record->set_record_id("018f-down");
  record->set_outcome(record::v1::COMPLETED);
  record->mutable_negotiated_at()->set_seconds(1'700'000'000);
  record->mutable_client()->set_value("192.0.2.0/24");
  *record->mutable_result() = Result(record::v1::DOWN);
  EXPECT_EQ(Run({"records", "list", "--limit", "5", "--before", "x"}), ExitCode::kOk);
  EXPECT_EQ(admin_.records_request.limit(), 5u);
  EXPECT_EQ(admin_.records_request.before_id(), "x");
  EXPECT_TRUE(OutHas("018f-down") && OutHas("2023-11-14 22:13:20Z") && OutHas("192.0.2.0/24"))
      << out_.str();
  EXPECT_EQ(Run({"--json", "records", "show", "018f-down"}), ExitCode::kOk);
  EXPECT_EQ(ParseJson(out_.str()).fields().at("record_id").string_value(), "018f-down");
  EXPECT_EQ(Run({"records", "show", "018f-down"}), ExitCode::kOk);
  EXPECT_TRUE(OutHas("1.0-2.0")) << out_.str();
  EXPECT_EQ(Run({"records", "show", "none"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("no record none")) << err_.str();

  auto* session = admin_.sessions.add_sessions();
  session->set_session_id("018f");
  session->set_state("running");
  EXPECT_EQ(Run({"sessions"}), ExitCode::kOk);
  EXPECT_TRUE(OutHas("018f") && OutHas("running")) << out_.str();
}

TEST_F(CliTest, AuditListsAndVerifies) {
  auto* entry = admin_.audit.add_entries();
  entry->set_id(12);
  entry->set_event("rejected");
  entry->set_rule("site");
  entry->set_stage("limit");
  entry->set_netblock("192.0.2.0/24");
  entry->set_count(3);
  auto* step = entry->mutable_trace()->add_steps();
  step->set_stage("limit");
  step->set_value("20 s");
  step->set_limit("<= 10 s");
  step->set_verdict(policy::v1::REFUSED);
  EXPECT_EQ(Run({"audit", "list", "--event", "rejected", "--before", "20"}), ExitCode::kOk);
  EXPECT_EQ(admin_.audit_request.before_id(), 20);
  EXPECT_EQ(admin_.audit_request.event(), "rejected");
  EXPECT_TRUE(OutHas("site (limit)") && OutHas("192.0.2.0/24") && !OutHas("20 s")) << out_.str();
  EXPECT_EQ(Run({"audit", "list", "--trace"}), ExitCode::kOk);
  EXPECT_TRUE(OutHas("REFUSED") && OutHas("20 s") && OutHas("<= 10 s")) << out_.str();

  admin_.verdict.set_intact(true);
  admin_.verdict.set_rows(12);
  admin_.verdict.mutable_head()->set_id(12);
  admin_.verdict.mutable_head()->set_hash("abcd");
  EXPECT_EQ(Run({"audit", "verify", "--head", "7:00ff"}), ExitCode::kOk);
  EXPECT_EQ(admin_.verify_request.head().id(), 7);
  EXPECT_EQ(admin_.verify_request.head().hash(), "00ff");
  EXPECT_TRUE(OutHas("intact: 12 rows, head 12:abcd")) << out_.str();
  EXPECT_EQ(Run({"audit", "verify", "--head", "00ff"}), ExitCode::kUsage);

  admin_.verdict.set_intact(false);
  admin_.verdict.set_first_broken_id(9);
  admin_.verdict.set_why("row 9 is missing");
  EXPECT_EQ(Run({"audit", "verify"}), ExitCode::kLocal);
  EXPECT_TRUE(OutHas("NOT INTACT at row 9: row 9 is missing")) << out_.str();
}

TEST_F(CliTest, ReloadSaysWhatIsInForce) {
  admin_.reload.set_result(measurement::v1::ReloadPolicyReply::APPLIED);
  admin_.reload.set_profile("lab");
  admin_.reload.set_policy_digest("sha256:new");
  admin_.reload.set_previous_digest("sha256:old");
  EXPECT_EQ(Run({"policy", "reload"}), ExitCode::kOk);
  EXPECT_TRUE(OutHas("applied") && OutHas("sha256:new") && OutHas("sha256:old")) << out_.str();

  admin_.reload.set_result(measurement::v1::ReloadPolicyReply::KEPT_LAST_GOOD);
  admin_.reload.set_policy_digest("sha256:old");
  admin_.reload.add_errors("policy:3: rule \"x\": wrong");
  EXPECT_EQ(Run({"policy", "reload"}), ExitCode::kUsage);
  EXPECT_TRUE(ErrHas("policy:3") && OutHas("still in force: lab, sha256:old"));
  EXPECT_EQ(Run({"policy", "reload", "--json"}), ExitCode::kUsage);
  EXPECT_EQ(ParseJson(out_.str()).fields().at("result").string_value(), "KEPT_LAST_GOOD");
}

// What a generator's node says at the end.
RunTestUpdate Generated(record::v1::Outcome outcome = record::v1::COMPLETED) {
  RunTestUpdate update = Finished(outcome);
  auto* result = update.mutable_result()->mutable_results(0);
  result->set_ends(record::v1::ENDS_SENDER);
  for (auto& interval : *result->mutable_intervals()) interval.set_sent(500'000);
  return update;
}

TEST_F(CliTest, GenerateRunsATrialForEachFrameAndSumsThemUp) {
  admin_.updates = {Grant(), Progress(0), Generated()};
  EXPECT_EQ(Run({"generate", "--to", "198.18.0.2", "--frame", "64,1518", "--pause", "1ms"}),
            ExitCode::kOk);
  ASSERT_EQ(admin_.bench_requests.size(), 2u);
  EXPECT_EQ(admin_.bench_requests[1].trial(), 1u);
  for (const char* text : {"frames of 64 bytes", "GENERATED", "sent 1,000,000, unsent 12",
                           "packets/s", "500.000 kpps", "FRAME", "1518", "018f-down"}) {
    EXPECT_TRUE(OutHas(text)) << text << "\n" << out_.str();
  }
  EXPECT_FALSE(OutHas("lost 1,000")) << "it knows nothing of what arrived\n" << out_.str();
}

TEST_F(CliTest, BenchJsonIsAListOfTrials) {
  admin_.updates = {Grant(), Finished()};
  EXPECT_EQ(Run({"sink", "--from", "198.18.0.1", "--json"}), ExitCode::kOk);
  const Struct json = ParseJson(out_.str());
  ASSERT_EQ(json.fields().at("trials").list_value().values_size(), 1);
  EXPECT_EQ(err_.str(), "");
}

TEST_F(CliTest, ASweepEndsWithTheFirstTrialThatDid) {
  admin_.updates = {Grant(), Generated(record::v1::ABORTED)};
  EXPECT_EQ(Run({"generate", "--to", "198.18.0.2", "--frame", "64,128", "--json"}),
            ExitCode::kAborted);
  EXPECT_EQ(admin_.bench_requests.size(), 1u);
}

TEST_F(CliTest, ARefusedBenchRunExitsWith3) {
  RunTestUpdate refused;
  refused.mutable_rejection()->set_rule("lab_only");
  refused.mutable_rejection()->set_stage("decide");
  admin_.updates = {refused};
  EXPECT_EQ(Run({"generate", "--to", "198.18.0.2"}), ExitCode::kRefused);
  EXPECT_TRUE(ErrHas("lab_only")) << err_.str();
}

TEST_F(CliTest, TopLooksOnceWhenNobodyWatches) {
  admin_.activity.set_dataplane_connected(true);
  admin_.activity.add_ports()->set_name("data");
  EXPECT_EQ(Run({"top", "--interval", "100ms"}), ExitCode::kOk);
  EXPECT_TRUE(OutHas("PORT") && OutHas("data") && OutHas("DROPPED")) << out_.str();
  EXPECT_EQ(out_.str().find('\033'), std::string::npos);
  EXPECT_EQ(Run({"top", "--once", "--json", "--interval", "100ms"}), ExitCode::kOk);
  EXPECT_EQ(ParseJson(out_.str()).fields().at("interval_s").number_value(), 1);
  for (const char* wrong : {"1ms", "2h", "soon"}) {
    EXPECT_EQ(Run({"top", "--interval", wrong}), ExitCode::kUsage) << wrong;
    EXPECT_TRUE(ErrHas("--interval")) << err_.str();
  }
}

TEST_F(CliTest, CalibrationIsShownIfThereIsOne) {
  EXPECT_EQ(Run({"calibrate", "--show"}), ExitCode::kLocal);
  EXPECT_TRUE(ErrHas("weir calibrate")) << err_.str();
  auto* point = admin_.node.mutable_calibration()->add_points();
  point->set_frame_bytes(64);
  point->set_generate_pps(12.5e6);
  EXPECT_EQ(Run({"calibrate", "--show"}), ExitCode::kOk);
  EXPECT_TRUE(OutHas("12.500 Mpps")) << out_.str();
}

TEST_F(CliTest, CompletionKnowsEveryCommandAndFlag) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_EQ(RunBare({"completion", shell}), ExitCode::kOk);
    for (const char* word : {"test", "records", "list", "direction", "imix", "accept-notice"}) {
      EXPECT_TRUE(OutHas(word)) << shell << ": " << word;
    }
  }
  EXPECT_EQ(RunBare({"completion", "bash"}), ExitCode::kOk);
  const std::string script =
      dir_.Write("completion.bash",
                 out_.str() +
                     "COMP_WORDS=(weir records li); COMP_CWORD=2; _weir; echo \"${COMPREPLY[*]}\"\n"
                     "COMP_WORDS=(weir test --direction d); COMP_CWORD=3; _weir; echo "
                     "\"${COMPREPLY[*]}\"\n");
  std::unique_ptr<FILE, int (*)(FILE*)> bash(popen(("bash " + script).c_str(), "r"), pclose);
  char line[64] = {};
  ASSERT_NE(fgets(line, sizeof(line), bash.get()), nullptr);
  EXPECT_STREQ(line, "list\n");
  ASSERT_NE(fgets(line, sizeof(line), bash.get()), nullptr);
  EXPECT_STREQ(line, "down\n");
}

}  // namespace
}  // namespace weir::cli
