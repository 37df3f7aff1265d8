// Neighbours on the link: ARP (RFC 826) and IPv6 neighbour discovery (RFC 4861), asking side.
#ifndef WEIR_DATAPLANE_SLOWPATH_NEIGHBOURS_H_
#define WEIR_DATAPLANE_SLOWPATH_NEIGHBOURS_H_

#include <rte_ether.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "dataplane/port/ip_address.h"
#include "dataplane/port/port.h"
#include "dataplane/result.h"
#include "dataplane/slowpath/transmitter.h"

namespace weir::dataplane {

// Learns only from replies to its own outstanding requests. Main lcore only. Times are ns of any
// clock that never goes back; "now" is what Tick was last given.
class Neighbours {
 public:
  // Both are called from Tick or Learn with the address as it was given to Pin.
  struct Events {
    // A pinned neighbour answered with another MAC; the old one is kept.
    std::function<void(const Port&, const IpAddress&)> on_change;
    // A pinned neighbour stopped answering.
    std::function<void(const Port&, const IpAddress&)> on_unreachable;
  };

  // `ports` and `transmitter` outlive this.
  Neighbours(std::span<const std::unique_ptr<Port>> ports, Transmitter& transmitter);

  void set_events(Events events) { events_ = std::move(events); }

  // The MAC packets to `ip` are sent to: of `ip` itself, or of the port's gateway. Nothing as yet
  // if it is not known: a request is then under way (1 s apart, three times; then UNAVAILABLE for
  // 3 s). Errors: NOT_FOUND, off-link without a gateway, UNAVAILABLE, no answer.
  Result<std::optional<rte_ether_addr>> Resolve(const Port& port, const IpAddress& ip);

  // While pinned a neighbour is refreshed and never changed. Counted: as many Unpin as Pin.
  void Pin(const Port& port, const IpAddress& ip);
  void Unpin(const Port& port, const IpAddress& ip);

  // Sets the time; every 50 ms of it retries, refreshes and expires.
  void Tick(uint64_t now_ns);

  // A reply that has been checked: `ip` says its address is `mac`. Ignored unless asked for.
  void Learn(const Port& port, const IpAddress& ip, const rte_ether_addr& mac);

 private:
  enum class State { kIncomplete, kReachable, kFailed };
  struct Entry {
    State state = State::kIncomplete;
    rte_ether_addr mac{};
    uint64_t learned_ns = 0;             // Last reply.
    uint64_t asked_ns = 0;               // Last request.
    uint64_t used_ns = 0;                // Last Resolve.
    uint32_t unanswered = 0;             // Requests since the last reply.
    bool outstanding = false;            // A reply is awaited.
    std::map<IpAddress, uint32_t> pins;  // Destinations behind it, counted.
  };
  using Table = std::map<IpAddress, Entry>;

  static constexpr uint64_t kScanIntervalNs = 50'000'000;

  void Ask(const Port& port, const IpAddress& next_hop, Entry& entry);
  void AskArp(const Port& port, const IpAddress& target);
  void AskNeighbourDiscovery(const Port& port, const IpAddress& target);
  bool TickEntry(const Port& port, const IpAddress& next_hop, Entry& entry);

  std::span<const std::unique_ptr<Port>> ports_;
  Transmitter& transmitter_;
  Events events_;
  std::map<uint16_t, Table> tables_;  // By port index.
  uint64_t now_ns_ = 0;
  uint64_t next_scan_ns_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_SLOWPATH_NEIGHBOURS_H_
