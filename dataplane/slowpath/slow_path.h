// What the workers punt and the main lcore answers: ARP, neighbour discovery and echo.
#ifndef WEIR_DATAPLANE_SLOWPATH_SLOW_PATH_H_
#define WEIR_DATAPLANE_SLOWPATH_SLOW_PATH_H_

#include <rte_mbuf.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/port/port.h"
#include "dataplane/result.h"
#include "dataplane/slowpath/headers.h"
#include "dataplane/slowpath/neighbours.h"
#include "dataplane/slowpath/reply_limiter.h"
#include "dataplane/slowpath/transmitter.h"

namespace weir::dataplane {

// Answers are at most 1,000 a second and 1 Mbit/s a port, never to a multicast or broadcast
// address, never longer than what asked. Main lcore only.
class SlowPath {
 public:
  struct Counters {
    uint64_t replies = 0;  // Sent.
    uint64_t limited = 0;  // Not sent for the limits above.
  };

  // `ports` outlives this.
  static Result<std::unique_ptr<SlowPath>> Create(std::span<const std::unique_ptr<Port>> ports);

  Neighbours& neighbours() { return neighbours_; }
  Transmitter& transmitter() { return *transmitter_; }
  const Counters& counters() const { return counters_; }

  // Each round of the main loop, before Handle: the time (ns of a clock that never goes back).
  void Tick(uint64_t now_ns);

  // True if the packet is ARP, neighbour discovery or an ICMP or ICMPv6 message: it is dealt with
  // and freed. False: it is neither and remains the caller's.
  bool Handle(const Port& port, rte_mbuf* packet);

  bool SendUdp(const Port& port, const UdpMessage& message) {
    return transmitter_->SendUdp(port, message);
  }

 private:
  SlowPath(std::span<const std::unique_ptr<Port>> ports, std::unique_ptr<Transmitter> transmitter);

  static constexpr uint32_t kMinFrame = 60;  // Without FCS.
  static constexpr uint8_t kHopLimit = 64;

  struct Punted {
    const EthernetHeader& ethernet;
    std::span<const uint8_t> l3;  // Behind Ethernet and VLAN tag; padding included.
    uint32_t frame_bytes;
  };

  void HandleArp(const Port& port, const Punted& punted);
  void HandleIcmp4(const Port& port, const Punted& punted);
  void HandleIcmp6(const Port& port, const Punted& punted);
  // False, and counted, for an echo request that must not be answered.
  bool MayAnswer(const Port& port, const Punted& punted, const IpAddress& source);
  rte_mbuf* EchoReply6(const Port& port, const Punted& punted, std::span<const uint8_t> message);
  void AnswerSolicitation(const Port& port, const Punted& punted, const IpAddress& source,
                          std::span<const uint8_t> message);
  void LearnAdvertised(const Port& port, std::span<const uint8_t> message);
  static void SetChecksum6(const Ip6Header* ip, IcmpHeader* icmp, size_t bytes);
  // Sends `reply`, an answer to `asked`, if the limits allow.
  void Reply(const Port& port, rte_mbuf* reply, const Punted& asked);

  std::unique_ptr<Transmitter> transmitter_;
  Neighbours neighbours_;
  std::vector<ReplyLimiter> limiters_;  // By port index.
  Counters counters_;
  uint64_t now_ns_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_SLOWPATH_SLOW_PATH_H_
