// Memory for many small objects of one size, side by side and on huge pages where there are any:
// a worker that meets 65,536 of them in random order then does not also miss the TLB.
#ifndef WEIR_DATAPLANE_FLOW_CHUNK_POOL_H_
#define WEIR_DATAPLANE_FLOW_CHUNK_POOL_H_

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace weir::dataplane {

// Main lcore only. Chunks are kept for the life of the process, for the next objects.
template <size_t kBytes>
class ChunkPool {
 public:
  // Throws std::bad_alloc.
  void* Allocate() {
    if (free_ == nullptr) AddChunk();
    Block* const block = free_;
    free_ = block->next;
    return block;
  }

  void Free(void* memory) {
    auto* const block = static_cast<Block*>(memory);
    block->next = free_;
    free_ = block;
  }

 private:
  union Block {
    Block* next;
    alignas(64) std::byte bytes[kBytes];
  };
  static_assert(sizeof(Block) == kBytes);
  static constexpr size_t kChunkBytes = size_t{2} << 20;  // One huge page.

  void AddChunk() {
    auto* const blocks = static_cast<Block*>(std::aligned_alloc(kChunkBytes, kChunkBytes));
    if (blocks == nullptr) throw std::bad_alloc();
    madvise(blocks, kChunkBytes, MADV_HUGEPAGE);  // Refused: it works without.
    for (size_t i = kChunkBytes / kBytes; i-- > 0;) Free(&blocks[i]);
  }

  Block* free_ = nullptr;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_FLOW_CHUNK_POOL_H_
