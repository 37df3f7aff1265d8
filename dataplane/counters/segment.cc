#include "dataplane/counters/segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <utility>

namespace weir::dataplane {

Result<Segment> Segment::Create(uint32_t slots, uint32_t workers, uint32_t ports,
                                uint32_t histograms, const std::array<uint8_t, 16>& boot_id) {
  shm::SegmentHeader header = shm::PlanSegment(slots, workers, ports, histograms);
  std::copy(boot_id.begin(), boot_id.end(), header.boot_id);

  auto failed = [&header](const char* step) {
    return Error{v1::INTERNAL, "--flows",
                 std::string("cannot ") + step + " the counter segment of " +
                     std::to_string(header.segment_bytes >> 20) + " MiB: " + std::strerror(errno)};
  };
  ipc::UniqueFd fd(memfd_create("weir-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ftruncate(fd.get(), static_cast<off_t>(header.segment_bytes)) != 0) {
    return failed("create");
  }
  // Pages are taken as they are touched: slots nobody uses cost no memory.
  void* base = mmap(nullptr, header.segment_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) return failed("map");
  // A histogram is zeroed as a whole when a flow takes it, so huge pages waste nothing; a worker
  // that adds to thousands of them in turn then does not miss the TLB each time.
  madvise(static_cast<uint8_t*>(base) + header.histogram_offset,
          header.segment_bytes - header.histogram_offset, MADV_HUGEPAGE);  // Refused: without.
  Segment segment(std::move(fd), static_cast<uint8_t*>(base), header.segment_bytes);

  new (base) shm::SegmentHeader(header);
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
  if (fcntl(segment.fd(), F_ADD_SEALS, kSeals) != 0) return failed("seal");
  return segment;
}

Segment::Segment(Segment&& other) noexcept
    : fd_(std::move(other.fd_)),
      base_(std::exchange(other.base_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

Segment::~Segment() {
  if (base_ != nullptr) munmap(base_, bytes_);
}

}  // namespace weir::dataplane
