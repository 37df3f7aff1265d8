#include "tests/export/exporter.h"

#include <arpa/inet.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/export/export_policy.h"

namespace weir::test {
namespace {

constexpr char kPolicy[] = R"(
  profile: "lab"
  admission { name: "r" effect: ALLOW }
  export { name: "now" effect: ALLOW match { experiment: "open" } address: "full" release_class: "public" }
  export { name: "bench" effect: ALLOW match { experiment: "bench" } address: "full" release_class: "operator_only" }
  export { name: "later" effect: ALLOW address: "full" release_class: "public" embargo_days: 9 }
  recipient { name: "archive" role: "public" purpose: "publication" }
  recipient { name: "team" role: "researcher:later" purpose: "analysis" }
)";

std::unique_ptr<Process> StartAt(const std::string& program, std::vector<std::string> arguments,
                                 const std::string& log, const std::string& failpoint) {
  if (!failpoint.empty()) setenv("WEIR_FAILPOINT", failpoint.c_str(), 1);
  auto process = std::make_unique<Process>(program, std::move(arguments), log);
  unsetenv("WEIR_FAILPOINT");
  return process;
}

// A port nobody uses at the moment.
int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), length), 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

bool Eventually(const std::function<bool()>& holds, int seconds) {
  for (int i = 0; i < seconds * 50; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return holds();
}

bool DiesOfKill(Process* process) {
  const int status = process->Wait(60);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

ExporterTest::ExporterTest()
    : policy_(*control::Policy::Parse("policy", kPolicy)),
      store_(*control::Store::Open({.path = dir_.File("weir.db")})),
      admission_(std::make_unique<control::Admission>(control::Admission::Options{}, policy_)),
      service_(std::make_unique<control::ExportService>(admission_.get(), store_.get(), &metrics_,
                                                        "n")) {
  Serve();
}

ExporterTest::~ExporterTest() { StopServing(); }

std::string ExporterTest::policy_text() { return kPolicy; }

void ExporterTest::TearDown() {
  if (HasFailure()) std::cerr << Log();
}

void ExporterTest::Serve() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + dir_.File("export.sock"), grpc::InsecureServerCredentials());
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
}

void ExporterTest::StopServing() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_.reset();
}

void ExporterTest::LimitStore(uint64_t more_bytes) {
  StopServing();
  service_.reset();
  const uint64_t now = store_->SizeBytes();
  store_.reset();
  store_ = *control::Store::Open({.path = dir_.File("weir.db"), .max_bytes = now + more_bytes});
  service_ =
      std::make_unique<control::ExportService>(admission_.get(), store_.get(), &metrics_, "n");
  Serve();
}

std::unique_ptr<Process> ExporterTest::StartControl(const std::string& failpoint) {
  StopServing();
  service_.reset();
  admission_.reset();
  store_.reset();
  dir_.Write("policy", kPolicy);
  dir_.Write("control.textproto",
             absl::StrCat("operator: 'Lab' contact: 'desk' node: 'n' policy_file: '",
                          dir_.File("policy"), "' store: '", dir_.File("weir.db"),
                          "' dataplane_socket: '", dir_.File("dataplane.sock"), "' admin_socket: '",
                          dir_.File("admin.sock"), "' export_socket: '", dir_.File("export.sock"),
                          "' api { listen: '127.0.0.1:", FreePort(), "' }"));
  return StartAt("WEIR_CONTROL", {"--config", dir_.File("control.textproto"), "--allow-plaintext"},
                 dir_.File("export.log"), failpoint);
}

void ExporterTest::TakeBack() {
  auto store = control::Store::Open({.path = dir_.File("weir.db")});
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
  admission_ = std::make_unique<control::Admission>(control::Admission::Options{}, policy_);
  service_ =
      std::make_unique<control::ExportService>(admission_.get(), store_.get(), &metrics_, "n");
}

std::string ExporterTest::Keep(int number, const std::string& experiment, double jitter) {
  char id[37];
  std::snprintf(id, sizeof(id), "01890000-0000-7000-8000-%012x", static_cast<unsigned>(number));
  record::v1::Record record;
  record.set_session_id(id);
  record.set_record_id(std::string(id) + "-down");
  record.set_direction(record::v1::DOWN);
  record.set_outcome(record::v1::COMPLETED);
  record.set_end_reason("duration");
  record.set_origin_active(true);
  record.mutable_negotiated_at()->set_seconds(1'795'000'000 + number);
  record.mutable_negotiated_at()->set_nanos(5);
  record.mutable_server()->set_node("n");
  record.mutable_server()->set_operator_("Example University");
  record.mutable_server()->set_contact("desk");
  record::v1::DirectionResult* result = record.mutable_result();
  result->set_direction(record::v1::DOWN);
  result->set_received(1000);
  result->set_jitter_ns(jitter);
  result->add_intervals()->set_received(1000);
  auto approved = control::ExportPolicy(policy_).Approve({.session_id = id,
                                                          .admission_rule = "r",
                                                          .policy_digest = policy_->digest(),
                                                          .experiment = experiment,
                                                          .purpose = "p",
                                                          .client_address = "198.51.100.7"},
                                                         record);
  EXPECT_TRUE(approved.ok()) << approved.status();
  control::SessionRow row;
  row.session_id = id;
  row.role = "server";
  row.experiment = experiment;
  EXPECT_TRUE(store_->BeginSession(row).ok());
  control::SessionEnd end;
  end.session_id = id;
  end.state = "exported";
  end.end_reason = "duration";
  end.records = {*approved};
  EXPECT_TRUE(store_->FinishSession(end).ok());
  return record.record_id();
}

void ExporterTest::KeepMany(int from, int to, int threads) {
  // Commits are shared by those that wait for them.
  std::vector<std::thread> keepers;
  for (int keeper = 0; keeper < threads; ++keeper) {
    keepers.emplace_back([this, from, to, threads, keeper] {
      for (int i = from + keeper; i < to; i += threads) Keep(i);
    });
  }
  for (std::thread& keeper : keepers) keeper.join();
}

void ExporterTest::WriteConfig(const std::string& destinations) {
  dir_.Write("export.textproto", "control_socket: '" + dir_.File("export.sock") +
                                     "' state_directory: '" + dir_.File("state") + "' " +
                                     destinations);
}

std::unique_ptr<Process> ExporterTest::Start(const std::string& failpoint) {
  return StartAt("WEIR_EXPORT", {"--config", dir_.File("export.textproto")},
                 dir_.File("export.log"), failpoint);
}

delivery::v1::DestinationStatus ExporterTest::Status(const std::string& destination) {
  delivery::v1::Status status;
  EXPECT_TRUE(service_->Describe({}, &status).ok());
  for (const auto& one : status.destinations()) {
    if (one.destination().name() == destination) return one;
  }
  return {};
}

}  // namespace weir::test
