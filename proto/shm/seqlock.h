// A sequence lock over relaxed atomic words: one writer, any number of readers that never
// write. The reader bounds its retries: a writer that died in the middle makes data stale,
// not readers spin.
#ifndef WEIR_PROTO_SHM_SEQLOCK_H_
#define WEIR_PROTO_SHM_SEQLOCK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace weir::shm {

// Holds a T of whole 8-byte words. Standard layout and free of pointers, so that it can lie
// in memory shared between processes. Zeroed memory is a valid, never written cell.
template <typename T>
class SeqlockCell {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(uint64_t) == 0);
  static constexpr size_t kWords = sizeof(T) / sizeof(uint64_t);

 public:
  static constexpr int kMaxTries = 64;

  // Writer only.
  void Store(const T& value) {
    uint64_t words[kWords];
    std::memcpy(words, &value, sizeof(T));
    const uint64_t sequence = sequence_.load(std::memory_order_relaxed);
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    for (size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_relaxed);
    sequence_.store(sequence + 2, std::memory_order_release);
  }

  // Any thread. False: no consistent copy within kMaxTries; *value is untouched.
  bool Load(T* value) const {
    uint64_t words[kWords];
    for (int attempt = 0; attempt < kMaxTries; ++attempt) {
      const uint64_t before = sequence_.load(std::memory_order_acquire);
      if ((before & 1) != 0) continue;
      for (size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_acquire);
      if (sequence_.load(std::memory_order_relaxed) != before) continue;
      std::memcpy(value, words, sizeof(T));
      return true;
    }
    return false;
  }

  // Twice the number of stores; 0: never written.
  uint64_t version() const { return sequence_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> sequence_;
  std::atomic<uint64_t> words_[kWords];
};

static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace weir::shm

#endif  // WEIR_PROTO_SHM_SEQLOCK_H_
