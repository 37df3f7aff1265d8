// The dataplane's end of the command protocol: who may connect, who has the seat, for how long.
#ifndef WEIR_DATAPLANE_IPC_COMMAND_SERVER_H_
#define WEIR_DATAPLANE_IPC_COMMAND_SERVER_H_

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/flow/flow_manager.h"
#include "dataplane/ipc/commands.h"
#include "dataplane/result.h"
#include "dataplane/v1/dataplane.pb.h"
#include "ipc/seqpacket.h"

namespace weir::dataplane {

// Main lcore only. Descriptors are polled by the owner's epoll (`poll_fd` is readable when there
// is work), so that the main loop has one place where it sleeps.
class CommandServer {
 public:
  static constexpr uint64_t kControlLeaseNs = 2'000'000'000;
  static constexpr size_t kRememberedAnswers = 256;
  static constexpr size_t kMaxConnections = 8;

  struct Identity {
    std::array<uint8_t, 16> boot_id{};
    uint32_t slots = 0;
    uint32_t workers = 0;
    int segment_fd = -1;
    gid_t socket_group = static_cast<gid_t>(-1);  // Members may connect.
  };

  // `listener` listens already: it was bound before privileges were dropped.
  CommandServer(ipc::UniqueFd listener, const Identity& identity, FlowManager& flows,
                Commands commands);

  int poll_fd() const { return epoll_.get(); }

  // Accepts, reads, answers, expires the lease; never blocks. now_ns: SteadyNs.
  void Poll(uint64_t now_ns);

  // A flow changed state: answers a StopFlow that waited for it, then tells the controller.
  void NotifyChange(const Flow& flow);

  bool has_controller() const { return seat_ >= 0; }

 private:
  void AcceptAll();
  bool Allowed(int fd) const;
  void ReadFrom(int fd, uint64_t now_ns);
  void Handle(int fd, const std::string& bytes, uint64_t now_ns);
  void HandleHello(int fd, const v1::Request& request, uint64_t now_ns);
  void Answer(int fd, v1::Response response, int passed_fd = -1);
  void Close(int fd);

  ipc::UniqueFd listener_;
  ipc::UniqueFd epoll_;
  const Identity identity_;
  FlowManager& flows_;
  Commands commands_;
  std::map<int, ipc::UniqueFd> connections_;
  int seat_ = -1;                // The controller's connection; -1: free.
  uint64_t lease_until_ns_ = 0;  // 0: none runs.
  std::deque<std::pair<uint64_t, std::string>>
      answers_;  // By request id, serialized, oldest first.
  std::multimap<std::pair<uint32_t, uint32_t>, uint64_t> waiting_stops_;  // Slot, generation.
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_IPC_COMMAND_SERVER_H_
