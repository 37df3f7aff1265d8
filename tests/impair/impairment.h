// What weir-impair does to the test packets of one direction: decisions only, no packets.
#ifndef WEIR_TESTS_IMPAIR_IMPAIRMENT_H_
#define WEIR_TESTS_IMPAIR_IMPAIRMENT_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <utility>

namespace weir::impair {

// Which packets, by their index: the test packets of a direction are counted from 0.
struct Selection {
  uint64_t every = 0;  // The last of each `every`: index every-1, 2*every-1, ... 0: none.
  std::set<uint64_t> indices;

  bool Contains(uint64_t index) const {
    return (every != 0 && index % every == every - 1) || indices.contains(index);
  }
};

struct Impairment {
  Selection drop;
  Selection duplicate;         // The copy follows at once.
  Selection swap;              // Held back until swap_distance later packets have passed.
  uint32_t swap_distance = 1;  // At least 1.
  uint64_t delay_ns = 0;       // Every test packet, or those of one DSCP.
  std::optional<uint32_t> delay_dscp;

  uint64_t DelayOf(uint8_t dscp) const {
    return delay_dscp.has_value() && *delay_dscp != dscp ? 0 : delay_ns;
  }
};

// Packets held back until others have passed them. T is a handle.
template <typename T>
class HoldBack {
 public:
  explicit HoldBack(uint32_t distance) : distance_(distance) {}

  void Hold(T packet) { held_.push_back({packet, distance_}); }

  // A packet has passed: returns the one that may now follow it, if any. Call until empty,
  // with `passed` false after the first time.
  std::optional<T> Release(bool passed) {
    if (passed) {
      for (Held& held : held_) --held.remaining;
    }
    if (held_.empty() || held_.front().remaining != 0) return std::nullopt;
    return Take();
  }

  struct Flushed {
    T packet;
    bool overtaken;  // By fewer packets than it was to wait for.
  };

  // The oldest one, whatever it still waits for: no more packets are coming.
  std::optional<Flushed> Flush() {
    if (held_.empty()) return std::nullopt;
    const bool overtaken = held_.front().remaining != distance_;
    return Flushed{Take(), overtaken};
  }

 private:
  struct Held {
    T packet;
    uint32_t remaining;  // Packets that still have to pass. Never rises from front to back.
  };

  T Take() {
    T packet = std::move(held_.front().packet);
    held_.pop_front();
    return packet;
  }

  uint32_t distance_;
  std::deque<Held> held_;
};

}  // namespace weir::impair

#endif  // WEIR_TESTS_IMPAIR_IMPAIRMENT_H_
