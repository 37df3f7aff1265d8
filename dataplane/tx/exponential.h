// Exponentially distributed gaps for Poisson departures, without a logarithm on the packet path.
#ifndef WEIR_DATAPLANE_TX_EXPONENTIAL_H_
#define WEIR_DATAPLANE_TX_EXPONENTIAL_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/clock/clock.h"

namespace weir::dataplane {

// Draws from a table of 4,096 equally likely gaps, each the mean of the distribution over its
// share: so their own mean is exact, and the longest is 9.3 times it. Used by one thread.
class Exponential {
 public:
  explicit Exponential(uint64_t seed) : state_(seed | 1) {}

  // One gap of a process whose mean gap this is.
  uint64_t Gap(uint64_t mean) {
    // xorshift64*: cheap, and no secret.
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    const uint32_t factor = kTable[(state_ * 0x2545F4914F6CDD1D) >> (64 - kTableBits)];
    return static_cast<uint64_t>((Uint128{mean} * factor) >> kFractionBits);
  }

 private:
  static constexpr int kTableBits = 12;
  static constexpr int kFractionBits = 24;
  using Table = std::array<uint32_t, size_t{1} << kTableBits>;
  static Table MakeTable();
  static const Table kTable;  // Factors of the mean, kFractionBits behind the point.

  uint64_t state_;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_TX_EXPONENTIAL_H_
