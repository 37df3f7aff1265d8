// All sessions of the node, in both roles.
#ifndef WEIR_CONTROL_SESSION_MANAGER_H_
#define WEIR_CONTROL_SESSION_MANAGER_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/session/ask_limit.h"
#include "control/session/bench_session.h"
#include "control/session/client_session.h"
#include "control/session/local_test.h"
#include "control/session/node.h"
#include "control/session/server_session.h"
#include "control/session/session.h"
#include "control/session/use_keeper.h"
#include "control/session/work_queue.h"
#include "measurement/v1/admin.pb.h"
#include "measurement/v1/measurement.pb.h"

namespace weir::control {

// Thread-safe. Each session runs on a thread of its own (max_sessions bounds them); events reach
// it through the table. A housekeeping thread takes over new connections to the dataplane, joins
// the threads of ended sessions and keeps ports and metrics up to date.
class SessionManager {
 public:
  // `node.dataplane` is set by the manager, which owns it.
  SessionManager(Node node, const std::string& dataplane_socket);
  ~SessionManager();  // Aborts what still runs.

  // Server role. `reply` is called once, on another thread.
  void Negotiate(measurement::v1::NegotiateRequest request, Caller caller,
                 const std::function<void(measurement::v1::NegotiateReply)>& reply);
  // Attaches the peer's Run stream. NotFound: no such session; FailedPrecondition: it was
  // attached before or is over.
  absl::StatusOr<std::shared_ptr<Session>> AttachRun(const std::string& session_id,
                                                     std::shared_ptr<PeerLink> link);
  absl::StatusOr<measurement::v1::GetResultReply> GetResult(const std::string& session_id);
  // InvalidArgument names the field; PermissionDenied: `asker_ip`, or everybody, asked too often.
  absl::StatusOr<measurement::v1::LookupReply> Lookup(const measurement::v1::LookupRequest& packet,
                                                      const std::string& asker_ip);
  measurement::v1::ServerInfo Info() const;

  // Client role. The test runs until its last update was given to `sink`; cancelling the handle
  // ends it early. ResourceExhausted: too many at once.
  absl::StatusOr<std::shared_ptr<LocalTest>> RunTest(measurement::v1::RunTestRequest request,
                                                     LocalTest::Sink sink,
                                                     std::function<void()> done);
  // Likewise one end of a bench run.
  absl::StatusOr<std::shared_ptr<LocalTest>> RunBench(BenchSession::End end,
                                                      measurement::v1::BenchRequest request,
                                                      LocalTest::Sink sink,
                                                      std::function<void()> done);
  absl::StatusOr<measurement::v1::ServerInfo> GetRemoteInfo(
      const measurement::v1::RemoteServer& remote);

  // Admin.
  absl::StatusOr<std::vector<measurement::v1::Notice>> ListNotices(uint32_t limit) const {
    return node_.notices->List(limit);
  }
  absl::StatusOr<measurement::v1::PublicReport> GetRemoteReport(
      const measurement::v1::RemoteReportRequest& request);
  absl::StatusOr<measurement::v1::LookupReply> LookupFlow(
      const measurement::v1::LookupFlowRequest& request);
  measurement::v1::NodeInfo NodeInfo() const;
  absl::StatusOr<std::vector<measurement::v1::SessionInfo>> List(bool active_only, uint32_t limit);
  measurement::v1::NodeActivity Activity() const;
  // The file it is kept in.
  absl::StatusOr<std::string> SetCalibration(measurement::v1::Calibration calibration);

  // OK, or why the node cannot run tests at the moment.
  absl::Status Health() const;

  // At start: returns once the dataplane can be used, or the first attempt to reach it has failed,
  // or `limit` has passed. Who serves only then does not refuse what came a moment too early.
  void AwaitDataplane(std::chrono::milliseconds limit) const;

  // Admits no session any more; those running finish.
  void Drain();
  bool Idle() const { return active_.load() == 0; }

 private:
  struct Running {
    std::thread thread;
    std::shared_ptr<std::atomic<bool>> done;
  };

  void StartThread(std::function<void()> work);
  absl::StatusOr<std::shared_ptr<LocalTest>> StartTest(std::shared_ptr<LocalTest> test,
                                                       std::function<void()> done);
  absl::StatusOr<measurement::v1::LookupReply> FindFlow(
      const measurement::v1::LookupRequest& packet) const;
  // Counts and audits it; `peer`: an address, of which the netblock is kept.
  void Keep(const measurement::v1::Rejection& rejection, const std::string& peer);
  void DoNegotiate(const measurement::v1::NegotiateRequest& request, const Caller& caller,
                   const std::function<void(measurement::v1::NegotiateReply)>& reply);

  void Housekeeping();
  void TakeOverDataplane();
  absl::Status RefreshPorts();
  void RefreshPortsOrWarn();
  // Lists the ports anew if a link may be another than it was when they were last listed. Before a
  // test is judged by it, and in between.
  void LookAtLinks();
  void UpdateMetrics();
  // Whether the ports send more than the flows of their workers.
  void LookForStrayEgress(const PortTable& ports);
  void JoinFinished(bool all);

  Node node_;
  SessionTable table_;
  std::atomic<bool> draining_{false};
  std::atomic<uint32_t> active_{0};  // Sessions and tests that have a thread.

  mutable std::mutex mutex_;  // Guards all below up to dataplane_.
  std::condition_variable wake_;
  bool stopping_ = false;
  std::list<Running> running_;
  std::list<std::weak_ptr<LocalTest>> tests_;

  bool recovered_ = false;  // Housekeeping thread only, as is the next.
  UseKeeper use_;
  std::vector<std::optional<shm::WorkerCounters>> worker_samples_;
  uint64_t worker_samples_of_ = 0;  // Number of the connection.

  struct Watched {
    StrayEgress stray;
    std::chrono::steady_clock::time_point quiet_until{};  // The operator was told.
  };
  std::map<std::string, Watched> watched_;  // By port. Housekeeping thread only.

  std::unique_ptr<Dataplane> dataplane_;
  AskLimit lookups_{"lookups", {.of_network = 20, .of_all = 600}};
  std::unique_ptr<WorkQueue> negotiations_;
  std::thread housekeeping_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_MANAGER_H_
