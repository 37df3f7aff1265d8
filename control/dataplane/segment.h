// A dataplane's counter segment, mapped read-only (proto/README.md section 4). The mapping
// outlives the dataplane: what a dead one left is still readable.
#ifndef WEIR_CONTROL_DATAPLANE_SEGMENT_H_
#define WEIR_CONTROL_DATAPLANE_SEGMENT_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "ipc/seqpacket.h"
#include "shm/segment.h"

namespace weir::control {

// Thread-safe: all reads are of relaxed atomic words. Nothing is read through an index or an
// offset that was not checked against the header as it was when the segment was mapped.
class Segment {
 public:
  // Refuses a segment of another layout, one that does not fit its file, and one that its
  // owner could still shrink (a read behind the new end would kill us).
  static absl::StatusOr<std::shared_ptr<const Segment>> Map(const ipc::UniqueFd& fd);

  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  // A copy: later writes to the header by the dataplane change nothing.
  const shm::SegmentHeader& header() const { return header_; }

  // Empty: no such cell, or no consistent copy within the bound ("stale").
  std::optional<shm::FlowStatus> Status(uint32_t slot) const;
  std::optional<shm::TxCounters> Tx(uint32_t slot) const;
  std::optional<shm::RxCounters> Rx(uint32_t worker, uint32_t slot) const;
  std::optional<shm::WorkerCounters> Worker(uint32_t index) const;
  std::optional<shm::PortCounters> Port(uint32_t index) const;
  std::optional<shm::NodeCounters> Node() const;
  // Null: no such histogram.
  const shm::LogHistogram* Histogram(uint32_t worker, int32_t index) const;

 private:
  Segment(const uint8_t* base, size_t mapped_bytes, const shm::SegmentHeader& header)
      : base_(base), mapped_bytes_(mapped_bytes), header_(header) {}

  template <typename Cell>
  const Cell& At(uint64_t offset, uint64_t index) const {
    return reinterpret_cast<const Cell*>(base_ + offset)[index];
  }

  const uint8_t* const base_;
  const size_t mapped_bytes_;
  const shm::SegmentHeader header_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_DATAPLANE_SEGMENT_H_
