// Two complete servers on this host, joined by memif: weir-dataplane and weir-control each.
#ifndef WEIR_TESTS_IPC_NODES_H_
#define WEIR_TESTS_IPC_NODES_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "measurement/v1/admin.grpc.pb.h"
#include "measurement/v1/measurement.grpc.pb.h"
#include "tests/ipc/fake_dataplane.h"
#include "tests/ipc/process.h"

namespace weir::test {

// What one RunTest streamed.
struct TestRun {
  std::vector<measurement::v1::RunTestUpdate> updates;
  grpc::Status status;

  const measurement::v1::TestResult* result() const;
  const measurement::v1::Rejection* rejection() const;
  const measurement::v1::TestFailure* failure() const;
  bool SawState(const std::string& state) const;
};

class TestNode {
 public:
  // `number` 1 or 2: addresses 192.0.2.N and 2001:db8::N; 1 serves the memif.
  TestNode(const ScratchDirectory& directory, int number, const std::string& policy);

  void WritePolicy(const std::string& policy) const;
  void StartDataplane();
  void StartControl();
  bool Ready();  // Control holds the dataplane's seat; waits for it.

  measurement::v1::Admin::Stub& admin() { return *admin_; }
  std::unique_ptr<measurement::v1::Measurement::Stub> PublicApi() const;
  std::string address() const { return "127.0.0.1:" + std::to_string(api_port_); }
  std::string Log() const { return ReadLog(path_ + ".log"); }
  std::string ControlSocket() const { return path_ + ".admin.sock"; }

  std::vector<measurement::v1::SessionInfo> Sessions();
  std::vector<record::v1::Record> Records();

  std::optional<Process> dataplane;
  std::optional<Process> control;

 private:
  const std::string path_;
  const std::string memif_;
  const int number_;
  const int api_port_;
  std::unique_ptr<measurement::v1::Admin::Stub> admin_;
};

// 20 Mbit/s of 1000-byte payloads in one stream for a second.
measurement::v1::RunTestRequest TestOf(const TestNode& server,
                                       const std::vector<record::v1::Direction>& directions);
TestRun RunTest(TestNode& client, const measurement::v1::RunTestRequest& request,
                grpc::ClientContext* context = nullptr);

}  // namespace weir::test

#endif  // WEIR_TESTS_IPC_NODES_H_
