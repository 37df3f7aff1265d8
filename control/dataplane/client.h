// The controller's end of the command protocol (proto/README.md section 3).
#ifndef WEIR_CONTROL_DATAPLANE_CLIENT_H_
#define WEIR_CONTROL_DATAPLANE_CLIENT_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/dataplane/segment.h"
#include "control/dataplane/slots.h"
#include "dataplane/v1/dataplane.pb.h"
#include "ipc/seqpacket.h"

namespace weir::control {

// One time in the seat. Immutable.
struct Connection {
  uint64_t number = 0;  // Rises with each connection of this process.
  dataplane::v1::HelloReply hello;
  std::shared_ptr<const Segment> segment;
};

// Holds the seat at one weir-dataplane: connects, renews the control lease from a thread of its
// own, connects again when the connection ends. All methods are thread-safe; the calls block
// until the dataplane has answered and must not be made from a callback.
class Client {
 public:
  struct Options {
    std::string socket;
    std::chrono::milliseconds renew_interval{500};
    std::chrono::milliseconds reply_timeout{2000};
    // The dataplane answers renewals at once; silence this long is a dead one.
    std::chrono::milliseconds silence_limit{3000};
    std::chrono::milliseconds retry_interval{200};
  };

  // Called on the client's thread, in order. They must return soon: the lease waits.
  struct Callbacks {
    std::function<void(std::shared_ptr<const Connection>)> connected;
    std::function<void(std::shared_ptr<const Connection>)> disconnected;
    std::function<void(const dataplane::v1::FlowInfo&)> flow_event;
  };

  Client(Options options, Callbacks callbacks);
  ~Client();  // Gives the seat back.
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  std::shared_ptr<const Connection> connection() const;  // Null: not connected.
  std::string last_error() const;                        // Why not, in a sentence.
  bool has_failed() const;  // An attempt to connect failed, or a connection ended.

  // Unavailable: no connection, or it ended before the answer. DeadlineExceeded: no answer.
  // Otherwise the dataplane's own status, its field in front of the message.
  absl::StatusOr<dataplane::v1::FlowInfo> ProgramFlow(const dataplane::v1::FlowSpec& spec);
  absl::StatusOr<dataplane::v1::FlowInfo> ArmFlow(FlowSlot flow);
  absl::StatusOr<dataplane::v1::FlowInfo> StopFlow(FlowSlot flow);
  absl::Status ReleaseFlow(FlowSlot flow);
  absl::StatusOr<std::vector<dataplane::v1::FlowInfo>> ListFlows();
  absl::StatusOr<std::vector<dataplane::v1::PortInfo>> ListPorts();

 private:
  using Response = dataplane::v1::Response;
  struct Pending {
    std::optional<absl::StatusOr<Response>> answer;
  };

  void ThreadMain();
  // Connects, says hello, maps the segment. On success connection_ and socket_ are set.
  absl::Status Connect();
  // Serves the connection until it ends; says why it did.
  absl::Status Serve();
  absl::Status HandleDatagram(const std::string& bytes);
  absl::Status SendLocked(dataplane::v1::Request* request, uint64_t* id);
  absl::StatusOr<Response> Call(dataplane::v1::Request request);
  absl::StatusOr<dataplane::v1::FlowInfo> CallForFlow(dataplane::v1::Request request);
  void Disconnect(const absl::Status& why);
  bool WaitForStop(std::chrono::milliseconds time);

  const Options options_;
  const Callbacks callbacks_;

  mutable std::mutex mutex_;  // Guards all below up to thread_.
  std::condition_variable answered_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  ipc::UniqueFd socket_;
  std::shared_ptr<const Connection> connection_;
  std::string last_error_;
  bool has_failed_ = false;
  uint64_t next_request_id_;
  uint64_t connections_ = 0;
  std::map<uint64_t, Pending*> pending_;

  std::thread thread_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_DATAPLANE_CLIENT_H_
