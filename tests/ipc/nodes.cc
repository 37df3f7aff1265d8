#include "tests/ipc/nodes.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

namespace weir::test {
namespace {

namespace ms = measurement::v1;

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

template <typename Field>
const Field* Last(const std::vector<ms::RunTestUpdate>& updates,
                  bool (ms::RunTestUpdate::*has)() const,
                  const Field& (ms::RunTestUpdate::*get)() const) {
  return !updates.empty() && (updates.back().*has)() ? &(updates.back().*get)() : nullptr;
}

}  // namespace

const ms::TestResult* TestRun::result() const {
  return Last(updates, &ms::RunTestUpdate::has_result, &ms::RunTestUpdate::result);
}
const ms::Rejection* TestRun::rejection() const {
  return Last(updates, &ms::RunTestUpdate::has_rejection, &ms::RunTestUpdate::rejection);
}
const ms::TestFailure* TestRun::failure() const {
  return Last(updates, &ms::RunTestUpdate::has_failure, &ms::RunTestUpdate::failure);
}
bool TestRun::SawState(const std::string& state) const {
  for (const ms::RunTestUpdate& update : updates) {
    if (update.progress().state() == state) return true;
  }
  return false;
}

TestNode::TestNode(const ScratchDirectory& directory, int number, const std::string& policy)
    : path_(directory / ("node" + std::to_string(number))),
      memif_(directory / "memif.sock"),
      number_(number),
      api_port_(FreePort()) {
  WritePolicy(policy);
  std::ofstream(path_ + ".conf") << "operator: 'Lab' contact: 'noc@example.net' node: 'node"
                                 << number << "' policy_file: '" << path_ << ".policy' store: '"
                                 << path_ << ".db' dataplane_socket: '" << path_
                                 << ".dp.sock' admin_socket: '" << ControlSocket()
                                 << "' api { listen: '" << address()
                                 << "' } port { name: 'data' budget_bps: 1000000000 }";
}

void TestNode::WritePolicy(const std::string& policy) const {
  std::ofstream(path_ + ".policy") << policy;
}

void TestNode::StartDataplane() {
  const std::string n = std::to_string(number_);
  dataplane.emplace("WEIR_DATAPLANE",
                    std::vector<std::string>{
                        "--no-huge", "--memory", "128", "--flows", "256", "--histograms", "16",
                        "--socket", path_ + ".dp.sock", "--lcores",
                        number_ == 1 || sysconf(_SC_NPROCESSORS_ONLN) < 2 ? "0" : "1", "--port",
                        "data=memif:" + memif_ + ",role=" + (number_ == 1 ? "server" : "client") +
                            ",ip4=192.0.2." + n + "/24,ip6=2001:db8::" + n + "/64"},
                    path_ + ".log");
}

void TestNode::StartControl() {
  const size_t before = Log().size();
  control.emplace("WEIR_CONTROL",
                  std::vector<std::string>{"--config", path_ + ".conf", "--allow-plaintext"},
                  path_ + ".log");
  // A channel that finds no listener at first waits long before it tries again.
  EXPECT_TRUE(Eventually([&] { return Log().find("serves node", before) != std::string::npos; }));
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  admin_ = ms::Admin::NewStub(grpc::CreateCustomChannel(
      "unix:" + ControlSocket(), grpc::InsecureChannelCredentials(), arguments));
}

bool TestNode::Ready() {
  return Eventually([this] {
    grpc::ClientContext context;
    ms::NodeInfo node;
    const grpc::Status status = admin_->GetNode(&context, {}, &node);
    return status.ok() && node.dataplane_connected() && node.ports_size() == 1 &&
           node.ports(0).link_up();
  });
}

std::unique_ptr<ms::Measurement::Stub> TestNode::PublicApi() const {
  return ms::Measurement::NewStub(
      grpc::CreateChannel(address(), grpc::InsecureChannelCredentials()));
}

std::vector<ms::SessionInfo> TestNode::Sessions() {
  grpc::ClientContext context;
  ms::ListSessionsReply reply;
  admin_->ListSessions(&context, {}, &reply);
  return {reply.sessions().begin(), reply.sessions().end()};
}

std::vector<record::v1::Record> TestNode::Records() {
  grpc::ClientContext context;
  ms::ListRecordsReply reply;
  admin_->ListRecords(&context, {}, &reply);
  return {reply.records().begin(), reply.records().end()};
}

ms::RunTestRequest TestOf(const TestNode& server,
                          const std::vector<record::v1::Direction>& directions) {
  ms::RunTestRequest request;
  request.mutable_remote()->set_address(server.address());
  request.mutable_remote()->set_plaintext(true);
  for (const record::v1::Direction direction : directions) request.add_directions(direction);
  record::v1::TestParameters& parameters = *request.mutable_parameters();
  parameters.set_rate_bps(20'000'000);
  parameters.set_duration_ns(1'000'000'000);
  parameters.set_streams(1);
  parameters.set_ip_version(4);
  parameters.add_payload()->set_udp_payload_bytes(1000);
  parameters.mutable_payload(0)->set_weight(1);
  return request;
}

TestRun RunTest(TestNode& client, const ms::RunTestRequest& request, grpc::ClientContext* context) {
  grpc::ClientContext own;
  if (context == nullptr) context = &own;
  TestRun run;
  auto reader = client.admin().RunTest(context, request);
  ms::RunTestUpdate update;
  while (reader->Read(&update)) run.updates.push_back(update);
  run.status = reader->Finish();
  return run;
}

}  // namespace weir::test
