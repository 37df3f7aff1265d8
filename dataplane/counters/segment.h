// The counter segment as its writer holds it: a memfd, mapped, then sealed.
#ifndef WEIR_DATAPLANE_COUNTERS_SEGMENT_H_
#define WEIR_DATAPLANE_COUNTERS_SEGMENT_H_

#include <array>
#include <cstdint>
#include <utility>

#include "dataplane/result.h"
#include "ipc/seqpacket.h"
#include "shm/segment.h"

namespace weir::dataplane {

// Owns descriptor and mapping. The descriptor may be passed to anyone: it is sealed against
// resizing, further seals and writes other than through this mapping.
class Segment {
 public:
  static Result<Segment> Create(uint32_t slots, uint32_t workers, uint32_t ports,
                                uint32_t histograms, const std::array<uint8_t, 16>& boot_id);
  Segment(Segment&& other) noexcept;
  Segment& operator=(Segment&&) = delete;
  ~Segment();

  shm::SegmentWriter writer() const { return shm::SegmentWriter(base_); }
  int fd() const { return fd_.get(); }

 private:
  Segment(ipc::UniqueFd fd, uint8_t* base, uint64_t bytes)
      : fd_(std::move(fd)), base_(base), bytes_(bytes) {}

  ipc::UniqueFd fd_;
  uint8_t* base_;
  uint64_t bytes_;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_COUNTERS_SEGMENT_H_
