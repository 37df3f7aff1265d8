#include "control/dataplane/segment.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace weir::control {
namespace {

template <typename Counters, typename Cell>
std::optional<Counters> Load(const Cell& cell) {
  Counters counters;
  if (!cell.cell.Load(&counters)) return std::nullopt;
  return counters;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Segment>> Segment::Map(const ipc::UniqueFd& fd) {
  if (!fd) {
    return absl::FailedPreconditionError(
        "the dataplane's hello carried no counter segment; install weir-control and "
        "weir-dataplane of the same version");
  }
  const int seals = fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return absl::FailedPreconditionError(
        "the dataplane's counter segment is not sealed against shrinking; refusing to map it");
  }
  struct stat info;
  if (fstat(fd.get(), &info) != 0 ||
      info.st_size < static_cast<off_t>(sizeof(shm::SegmentHeader))) {
    return absl::FailedPreconditionError(
        "the dataplane's counter segment is shorter than its header");
  }
  const size_t bytes = static_cast<size_t>(info.st_size);
  void* base = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) {
    return absl::InternalError(
        absl::StrCat("cannot map the dataplane's counter segment: ", std::strerror(errno)));
  }
  shm::SegmentHeader header;
  std::memcpy(&header, base, sizeof(header));
  std::shared_ptr<const Segment> segment(
      new Segment(static_cast<const uint8_t*>(base), bytes, header));
  if (!shm::ValidSegment(header, bytes)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the dataplane's counter segment has layout ", header.layout_version,
        " or dimensions that do not fit it; this weir-control reads layout ", shm::kLayoutVersion,
        ": install weir-control and weir-dataplane of the same version"));
  }
  return segment;
}

Segment::~Segment() { munmap(const_cast<uint8_t*>(base_), mapped_bytes_); }

std::optional<shm::FlowStatus> Segment::Status(uint32_t slot) const {
  if (slot >= header_.slots) return std::nullopt;
  return Load<shm::FlowStatus>(At<shm::StatusCell>(header_.status_offset, slot));
}

std::optional<shm::TxCounters> Segment::Tx(uint32_t slot) const {
  if (slot >= header_.slots) return std::nullopt;
  return Load<shm::TxCounters>(At<shm::TxCell>(header_.tx_offset, slot));
}

std::optional<shm::RxCounters> Segment::Rx(uint32_t worker, uint32_t slot) const {
  if (worker >= header_.workers || slot >= header_.slots) return std::nullopt;
  return Load<shm::RxCounters>(
      At<shm::RxCell>(header_.rx_offset, uint64_t{worker} * header_.slots + slot));
}

std::optional<shm::WorkerCounters> Segment::Worker(uint32_t index) const {
  if (index >= header_.workers) return std::nullopt;
  return Load<shm::WorkerCounters>(At<shm::WorkerCell>(header_.worker_offset, index));
}

std::optional<shm::PortCounters> Segment::Port(uint32_t index) const {
  if (index >= header_.ports) return std::nullopt;
  return Load<shm::PortCounters>(At<shm::PortCell>(header_.port_offset, index));
}

std::optional<shm::NodeCounters> Segment::Node() const {
  return Load<shm::NodeCounters>(At<shm::NodeCell>(header_.node_offset, 0));
}

const shm::LogHistogram* Segment::Histogram(uint32_t worker, int32_t index) const {
  if (worker >= header_.workers || index < 0 ||
      static_cast<uint32_t>(index) >= header_.histograms) {
    return nullptr;
  }
  return &At<shm::LogHistogram>(header_.histogram_offset, uint64_t{worker} * header_.histograms +
                                                              static_cast<uint32_t>(index));
}

}  // namespace weir::control
