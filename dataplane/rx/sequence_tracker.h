// Loss, reordering (RFC 4737), duplicates (RFC 5560) of one flow, packet by packet.
#ifndef WEIR_DATAPLANE_RX_SEQUENCE_TRACKER_H_
#define WEIR_DATAPLANE_RX_SEQUENCE_TRACKER_H_

#include <cstdint>
#include <cstring>
#include <memory>

namespace weir::dataplane {

// Which of the last kWindow sequence numbers are missing, one bit each.
class HoleWindow {
 public:
  static constexpr uint64_t kWindow = 8192;

  bool Test(uint64_t sequence) const { return (Word(sequence) >> (sequence & 63)) & 1; }
  void Set(uint64_t sequence) { Word(sequence) |= Bit(sequence); }
  void Clear(uint64_t sequence) { Word(sequence) &= ~Bit(sequence); }
  void SetAll() { std::memset(words_, 0xFF, sizeof(words_)); }

 private:
  static uint64_t Bit(uint64_t sequence) { return uint64_t{1} << (sequence & 63); }
  uint64_t& Word(uint64_t sequence) { return words_[(sequence / 64) % (kWindow / 64)]; }
  const uint64_t& Word(uint64_t sequence) const { return words_[(sequence / 64) % (kWindow / 64)]; }
  uint64_t words_[kWindow / 64] = {};
};

// What a flow in order never touches; apart from the tracker, which it does with each packet.
struct Disorder {
  uint64_t lost = 0;
  uint64_t reordered = 0;
  uint64_t duplicated = 0;
  uint64_t late = 0;
  uint64_t loss_events = 0;
  const std::unique_ptr<HoleWindow> holes = std::make_unique<HoleWindow>();
};

// Each number below next() either came or is counted as lost; so packets = next - lost.
//
//  - at or above next: in order; the numbers skipped are lost until they come.
//  - below, missing in the window: reordered (RFC 4737 section 3.3), no longer lost.
//  - below, in the window, not missing: a duplicate.
//  - older than the window: late. It stays lost; whether it was one or a duplicate is unknown.
class SequenceTracker {
 public:
  enum class Verdict : uint8_t { kInOrder, kReordered, kDuplicate, kLate };

  // Extends the low 32 bits against the next number expected.
  uint64_t Extend(uint32_t low) const {
    return next_ +
           static_cast<uint64_t>(int64_t{static_cast<int32_t>(low - static_cast<uint32_t>(next_))});
  }

  Verdict Track(uint64_t sequence, Disorder& disorder) {
    if (sequence == next_) [[likely]] {
      if (!Whole()) Reuse(sequence, *disorder.holes);
      ++next_;
      return Verdict::kInOrder;
    }
    return TrackSlow(sequence, disorder);
  }

  // For a reader that keeps the expected number in a register while packets come in order. Each
  // takes its number's place in the window, unless that is Whole; TrackInOrder counts them.
  //
  // True if no number is missing in the window.
  bool Whole() const { return holes_ == 0; }
  // The bit of `sequence`, which just came as the next number (its low bits will do), held one that
  // now leaves the window. Returns Whole().
  bool Reuse(uint64_t sequence, HoleWindow& holes) {
    if (holes.Test(sequence)) {
      holes.Clear(sequence);
      --holes_;
    }
    return Whole();
  }
  void TrackInOrder(uint64_t count) { next_ += count; }

  uint64_t next() const { return next_; }
  uint64_t packets(const Disorder& disorder) const { return next_ - disorder.lost; }

 private:
  Verdict TrackSlow(uint64_t sequence, Disorder& disorder) {
    if (static_cast<int64_t>(sequence) < 0) {  // A number below 0 was never sent.
      ++disorder.late;
      return Verdict::kLate;
    }
    if (sequence >= next_) {
      Open(sequence, disorder);
      return Verdict::kInOrder;
    }
    if (next_ - sequence > HoleWindow::kWindow) {
      ++disorder.late;
      return Verdict::kLate;
    }
    if (!Whole() && disorder.holes->Test(sequence)) {
      disorder.holes->Clear(sequence);
      --holes_;
      --disorder.lost;
      ++disorder.reordered;
      return Verdict::kReordered;
    }
    ++disorder.duplicated;
    return Verdict::kDuplicate;
  }

  // Moves next_ behind `sequence`: the numbers between become holes, and holes that leave the
  // window are forgotten (they stay lost).
  void Open(uint64_t sequence, Disorder& disorder) {
    HoleWindow& holes = *disorder.holes;
    const uint64_t gap = sequence - next_;
    if (gap > 0) ++disorder.loss_events;
    disorder.lost += gap;
    if (gap >= HoleWindow::kWindow) {
      holes.SetAll();
      holes_ = HoleWindow::kWindow;
      next_ = sequence;
    }
    for (; next_ < sequence; ++next_) {
      if (holes_ == 0 || !holes.Test(next_)) {
        holes.Set(next_);
        ++holes_;
      }
    }
    if (!Whole()) Reuse(sequence, holes);
    next_ = sequence + 1;
  }

  uint64_t next_ = 0;
  uint16_t holes_ = 0;  // Bits set in the window. 0: the window need not be looked at.
  static_assert(HoleWindow::kWindow <= UINT16_MAX);
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RX_SEQUENCE_TRACKER_H_
