// A real weir-dataplane process with a real controller, for tests that send packets.
#ifndef WEIR_TESTS_LOOPBACK_NODE_H_
#define WEIR_TESTS_LOOPBACK_NODE_H_

#include <sys/types.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "control/dataplane/client.h"
#include "dataplane/v1/dataplane.pb.h"

namespace weir::test {

// Starts the binary named by WEIR_DATAPLANE without hugepages and takes its seat. The process is
// killed with the test at the latest.
class Node {
 public:
  // `port`: what follows --port.
  Node(const std::string& directory, const std::string& name, const std::string& port,
       const std::vector<std::string>& more_flags = {});
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  control::Client& client() { return *client_; }
  const control::Segment& segment() { return *client_->connection()->segment; }
  pid_t pid() const { return pid_; }

  // Waits until the flow is in `state`, or has finished; what it then is. Fails the test after
  // thirty seconds.
  dataplane::v1::FlowInfo WaitFor(control::FlowSlot flow, dataplane::v1::FlowState state);

  void Kill(int signal);
  // Exit status of the process, which must end by itself soon.
  int WaitForExit();
  // Gives the seat back, as a controller that died would.
  void LoseController() { client_.reset(); }

 private:
  void TakeSeat();

  const std::string socket_;
  pid_t pid_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<uint32_t, uint32_t>, dataplane::v1::FlowInfo> flows_;  // Newest event.
  std::unique_ptr<control::Client> client_;
};

// Two nodes joined by memif; addresses 192.0.2.1 and .2, 2001:db8::1 and ::2.
class NodePair {
 public:
  explicit NodePair(const std::string& more_keys = "", std::vector<std::string> more_flags = {});
  ~NodePair();

  Node& sender() { return *nodes_[0]; }
  Node& receiver() { return *nodes_[1]; }

  // Programs both ends of one flow from sender to receiver: `spec` holds what the test wants of
  // rate, sizes, duration; the rest is filled in. `slot` tells flows apart.
  void Program(uint32_t slot, bool ipv6, dataplane::v1::FlowSpec spec);
  // Waits for the proof on both ends, then arms.
  void Arm(uint32_t slot);
  // Waits until the sender has finished by itself and all packets, or none for 2 s, are in;
  // stops the receiver.
  void Finish(uint32_t slot);

  shm::TxCounters sent(uint32_t slot) { return sender().segment().Tx(slot).value(); }
  // Summed over workers.
  shm::RxCounters received(uint32_t slot);

  static constexpr uint32_t kGeneration = 1;
  static control::FlowSlot SenderSlot(uint32_t slot) { return {slot, kGeneration}; }
  // Another number on the receiving side: nothing may mix the two up.
  static control::FlowSlot ReceiverSlot(uint32_t slot) { return {slot + 100, kGeneration}; }
  // The two specs Program uses.
  static dataplane::v1::FlowSpec SenderSpec(uint32_t slot, bool ipv6, dataplane::v1::FlowSpec spec);
  static dataplane::v1::FlowSpec ReceiverSpec(uint32_t slot, bool ipv6);

 private:
  std::string directory_;
  std::unique_ptr<Node> nodes_[2];
};

// A load of one size.
dataplane::v1::FlowSpec Load(uint64_t rate_bps, uint32_t udp_payload, uint64_t duration_ms);

}  // namespace weir::test

#endif  // WEIR_TESTS_LOOPBACK_NODE_H_
