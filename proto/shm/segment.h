// Layout of the counter segment: a sealed memfd the dataplane writes and weir-control maps
// read-only (proto/README.md section 4). No pointers: offsets from the segment's start.
// Any change of layout raises kLayoutVersion.
#ifndef WEIR_PROTO_SHM_SEGMENT_H_
#define WEIR_PROTO_SHM_SEGMENT_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "shm/log_histogram.h"
#include "shm/seqlock.h"

namespace weir::shm {

inline constexpr uint64_t kMagic = 0x3130'6765'7372'6977;  // "wirseg01"
inline constexpr uint32_t kLayoutVersion = 2;
inline constexpr size_t kCacheLine = 64;

// Written by the dataplane before the segment is passed, then never again.
struct alignas(kCacheLine) SegmentHeader {
  uint64_t magic;
  uint32_t layout_version;
  uint32_t slots;
  uint32_t workers;
  uint32_t ports;
  uint32_t histograms;  // For each worker.
  uint32_t reserved;
  uint8_t boot_id[16];
  uint64_t segment_bytes;
  // Offsets of the arrays below.
  uint64_t status_offset;     // StatusCell[slots]
  uint64_t tx_offset;         // TxCell[slots]: the same as rx_offset
  uint64_t rx_offset;         // RxCell[workers][slots]
  uint64_t worker_offset;     // WorkerCell[workers]
  uint64_t port_offset;       // PortCell[ports]
  uint64_t node_offset;       // NodeCell
  uint64_t histogram_offset;  // LogHistogram[workers][histograms]
};

// All times are the dataplane's clock: ns since the Unix epoch. Bytes are IP-layer bytes.

// State of a flow; whose it is ListFlows tells. Writer: the main lcore.
struct FlowStatus {
  uint32_t generation;
  uint8_t role;    // dataplane.v1.Role
  uint8_t state;   // dataplane.v1.FlowState
  uint8_t reason;  // dataplane.v1.EndReason
  uint8_t reserved;
  int32_t histogram_index;  // -1: none.
  uint32_t pauses;          // TX: times the load went to zero for want of feedback.
  uint64_t armed_ns;
  uint64_t ended_ns;
  uint64_t feedback_ns;        // TX: last valid feedback. RX of a bench: when END came.
  uint64_t feedback_received;  // TX: distinct packets the receiver had by then.
  // TX: highest sequence plus one the receiver had by then. RX of a bench: END's final sequence.
  uint64_t peer_highest;
};

// Writer: the worker that owns the flow.
struct TxCounters {
  uint32_t generation;
  uint32_t worker;
  uint64_t packets;  // Accepted by the port; also the next sequence number.
  uint64_t bytes;
  uint64_t frame_bytes;  // Ethernet with FCS.
  uint64_t unsent;       // Deadlines that passed without a packet.
  uint64_t rejected;     // Refusals by the port (a packet may be refused several times).
  uint64_t first_ns;
  uint64_t last_ns;
};

// Writer: the worker it is indexed by; a reader merges the workers.
struct RxCounters {
  uint32_t generation;
  uint64_t packets;  // Distinct.
  uint64_t bytes;
  uint64_t frame_bytes;       // Ethernet with FCS.
  uint64_t highest_sequence;  // Plus one; 0: none yet.
  uint64_t reordered;
  uint64_t duplicated;
  uint64_t late;
  uint64_t loss_events;
  uint64_t first_ns;
  uint64_t last_ns;
  uint64_t jitter_x16_ns;      // RFC 3550 J, scaled by 16.
  uint64_t last_packet_bytes;  // IP bytes of the packet at last_ns.
  int64_t delay_base_ns;       // Subtracted from one-way delays before the histogram.
  int64_t delay_min_ns;        // Without the base subtracted.
  int64_t delay_max_ns;
  int64_t delay_sum_ns;  // With the base subtracted, of all packets.

  // Sequence numbers missing below highest_sequence.
  uint64_t lost() const { return highest_sequence > packets ? highest_sequence - packets : 0; }
};

// The same as it lies in the segment: with the sequence lock's word two cache lines.
struct PackedRxCounters {
  uint64_t generation : 32;
  uint64_t jitter_low : 32;
  uint64_t packets;
  uint64_t bytes;
  uint64_t frame_bytes;
  uint64_t highest_sequence;
  uint64_t reordered;
  uint64_t duplicated;
  uint64_t late;
  uint64_t loss_events : 48;
  uint64_t jitter_high : 16;
  uint64_t first_ns;
  uint64_t active_ns : 48;  // last_ns - first_ns: 78 hours.
  uint64_t last_packet_bytes : 16;
  int64_t delay_base_ns;
  int64_t delay_min_ns;
  int64_t delay_max_ns;
  int64_t delay_sum_ns;
};

class RxSeqlockCell {
 public:
  // As SeqlockCell's. Writer only.
  void Store(const RxCounters& from) {
    PackedRxCounters to;
    to.generation = from.generation;
    to.jitter_low = static_cast<uint32_t>(from.jitter_x16_ns);
    to.packets = from.packets;
    to.bytes = from.bytes;
    to.frame_bytes = from.frame_bytes;
    to.highest_sequence = from.highest_sequence;
    to.reordered = from.reordered;
    to.duplicated = from.duplicated;
    to.late = from.late;
    to.loss_events = from.loss_events & ((uint64_t{1} << 48) - 1);
    to.jitter_high = static_cast<uint16_t>(from.jitter_x16_ns >> 32);
    to.first_ns = from.first_ns;
    to.active_ns = from.last_ns < from.first_ns  // The clock was set back.
                       ? 0
                       : (from.last_ns - from.first_ns) & ((uint64_t{1} << 48) - 1);
    to.last_packet_bytes = static_cast<uint16_t>(from.last_packet_bytes);
    to.delay_base_ns = from.delay_base_ns;
    to.delay_min_ns = from.delay_min_ns;
    to.delay_max_ns = from.delay_max_ns;
    to.delay_sum_ns = from.delay_sum_ns;
    packed_.Store(to);
  }

  // Any thread. False: no consistent copy; *to is untouched.
  bool Load(RxCounters* to) const {
    PackedRxCounters from;
    if (!packed_.Load(&from)) return false;
    *to = {.generation = static_cast<uint32_t>(from.generation),
           .packets = from.packets,
           .bytes = from.bytes,
           .frame_bytes = from.frame_bytes,
           .highest_sequence = from.highest_sequence,
           .reordered = from.reordered,
           .duplicated = from.duplicated,
           .late = from.late,
           .loss_events = from.loss_events,
           .first_ns = from.first_ns,
           .last_ns = from.first_ns + from.active_ns,
           .jitter_x16_ns = uint64_t{from.jitter_high} << 32 | from.jitter_low,
           .last_packet_bytes = from.last_packet_bytes,
           .delay_base_ns = from.delay_base_ns,
           .delay_min_ns = from.delay_min_ns,
           .delay_max_ns = from.delay_max_ns,
           .delay_sum_ns = from.delay_sum_ns};
    return true;
  }

  uint64_t version() const { return packed_.version(); }

 private:
  SeqlockCell<PackedRxCounters> packed_;
};

// Writer: that worker.
struct WorkerCounters {
  uint32_t lcore;
  uint32_t port;
  uint64_t loops;
  uint64_t busy_cycles;  // Loops that moved a packet.
  uint64_t idle_cycles;  // The rest, sleep included.
  uint64_t sleeps;
  uint64_t rx_packets;
  uint64_t tx_packets;
  uint64_t tx_rejected;
  uint64_t punted;
  uint64_t punt_dropped;
  uint64_t drop_unknown;  // Belongs to no session.
  uint64_t drop_malformed;
  uint64_t rx_cpu_starved_ns;  // Time between polls beyond 1 ms while flows were running, summed.
  uint64_t full_rx_bursts;
};

// Writer: the main lcore, every 100 ms and at each flow's end.
struct PortCounters {
  uint64_t at_ns;
  uint64_t rx_packets;
  uint64_t tx_packets;
  uint64_t rx_bytes;
  uint64_t tx_bytes;
  uint64_t
      rx_missed;  // The port had the packet and no room: imissed + rx_nombuf + the kernel's own.
  uint64_t rx_errors;
  uint64_t tx_errors;
  uint64_t link_bps;
  uint64_t link_up;
};

// Writer: the main lcore.
struct NodeCounters {
  uint64_t heartbeat_ns;
  uint64_t clock_offset_error_ns;  // Last correction when the clock was re-anchored.
  uint64_t tsc_hz;
  uint64_t hellos;
  uint64_t challenges;
  uint64_t proofs_accepted;
  uint64_t proofs_refused;
  uint64_t feedback_refused;
  uint64_t slowpath_replies;
  uint64_t slowpath_limited;
};

struct alignas(kCacheLine) StatusCell {
  SeqlockCell<FlowStatus> cell;
};
// A slot sends or receives, so one cell does for both: the TX cell of a slot is the RX cell that
// the first worker has of it. Which of them it is the flow's role says, as long as the generation
// is the flow's.
struct alignas(kCacheLine) TxCell {
  SeqlockCell<TxCounters> cell;
};
struct alignas(kCacheLine) RxCell {
  RxSeqlockCell cell;
};
struct alignas(kCacheLine) WorkerCell {
  SeqlockCell<WorkerCounters> cell;
};
struct alignas(kCacheLine) PortCell {
  SeqlockCell<PortCounters> cell;
};
struct alignas(kCacheLine) NodeCell {
  SeqlockCell<NodeCounters> cell;
};

static_assert(sizeof(StatusCell) == 64);
static_assert(sizeof(RxCell) == 128);
static_assert(sizeof(TxCell) == sizeof(RxCell));
static_assert(sizeof(WorkerCell) == 128);

// Typed access to a mapped segment. Byte is `uint8_t` for the dataplane's writable mapping,
// `const uint8_t` for a reader. The header must have been checked first (ValidSegment).
template <typename Byte>
class SegmentView {
  template <typename T>
  using Ref = std::conditional_t<std::is_const_v<Byte>, const T, T>;

 public:
  SegmentView() = default;
  explicit SegmentView(Byte* base) : base_(base) {}

  const SegmentHeader& header() const { return *reinterpret_cast<const SegmentHeader*>(base_); }
  Ref<StatusCell>& status(uint32_t slot) const {
    return At<StatusCell>(header().status_offset, slot);
  }
  Ref<TxCell>& tx(uint32_t slot) const { return At<TxCell>(header().tx_offset, slot); }
  Ref<RxCell>& rx(uint32_t worker, uint32_t slot) const {
    return At<RxCell>(header().rx_offset, size_t{worker} * header().slots + slot);
  }
  Ref<WorkerCell>& worker(uint32_t index) const {
    return At<WorkerCell>(header().worker_offset, index);
  }
  Ref<PortCell>& port(uint32_t index) const { return At<PortCell>(header().port_offset, index); }
  Ref<NodeCell>& node() const { return At<NodeCell>(header().node_offset, 0); }
  Ref<LogHistogram>& histogram(uint32_t worker, uint32_t index) const {
    return At<LogHistogram>(header().histogram_offset,
                            size_t{worker} * header().histograms + index);
  }
  explicit operator bool() const { return base_ != nullptr; }

 private:
  template <typename T>
  Ref<T>& At(uint64_t offset, size_t index) const {
    return reinterpret_cast<Ref<T>*>(base_ + offset)[index];
  }
  Byte* base_ = nullptr;
};

using SegmentWriter = SegmentView<uint8_t>;
using SegmentReader = SegmentView<const uint8_t>;

// The header for these dimensions (boot_id left zero).
constexpr SegmentHeader PlanSegment(uint32_t slots, uint32_t workers, uint32_t ports,
                                    uint32_t histograms) {
  SegmentHeader header{};
  header.magic = kMagic;
  header.layout_version = kLayoutVersion;
  header.slots = slots;
  header.workers = workers;
  header.ports = ports;
  header.histograms = histograms;
  uint64_t offset = 4096;
  auto place = [&offset](uint64_t bytes) {
    const uint64_t at = offset;
    offset += (bytes + 4095) / 4096 * 4096;
    return at;
  };
  header.status_offset = place(uint64_t{slots} * sizeof(StatusCell));
  header.rx_offset = place(uint64_t{slots} * workers * sizeof(RxCell));
  header.tx_offset = header.rx_offset;
  header.worker_offset = place(uint64_t{workers} * sizeof(WorkerCell));
  header.port_offset = place(uint64_t{ports} * sizeof(PortCell));
  header.node_offset = place(sizeof(NodeCell));
  header.histogram_offset = place(uint64_t{workers} * histograms * sizeof(LogHistogram));
  header.segment_bytes = offset;
  return header;
}

// True if `header`, at the start of a mapping of `mapped_bytes`, is this layout and every
// array lies inside the mapping: a reader trusts nothing it has not checked.
inline bool ValidSegment(const SegmentHeader& header, uint64_t mapped_bytes) {
  if (header.magic != kMagic || header.layout_version != kLayoutVersion) return false;
  if (header.workers == 0 || header.workers > 1024 || header.ports > 1024) return false;
  if (header.slots == 0 || header.slots > (1u << 24) || header.histograms > (1u << 24))
    return false;
  const SegmentHeader plan =
      PlanSegment(header.slots, header.workers, header.ports, header.histograms);
  return plan.segment_bytes == header.segment_bytes && header.segment_bytes <= mapped_bytes &&
         plan.status_offset == header.status_offset && plan.tx_offset == header.tx_offset &&
         plan.rx_offset == header.rx_offset && plan.worker_offset == header.worker_offset &&
         plan.port_offset == header.port_offset && plan.node_offset == header.node_offset &&
         plan.histogram_offset == header.histogram_offset;
}

}  // namespace weir::shm

#endif  // WEIR_PROTO_SHM_SEGMENT_H_
