#include "dataplane/tx/exponential.h"

#include <array>
#include <cmath>
#include <cstddef>

namespace weir::dataplane {
namespace {

// The mean over a share [a, b) of probability of -ln(1-p), times what that share weighs, is
// G(b) - G(a) with G(p) = (1-p) ln(1-p) + p.
std::array<uint32_t, 4096> MakeTable() {
  constexpr size_t kShares = 4096;
  const auto integral = [](size_t share) {
    const double left = 1 - static_cast<double>(share) / kShares;
    return left > 0 ? left * std::log(left) + 1 - left : 1.0;
  };
  std::array<uint32_t, kShares> table;
  double rounded = 0;  // So far; each entry takes up what rounding left.
  for (size_t i = 0; i < kShares; ++i) {
    const double exact = integral(i + 1) * kShares * (1 << 24);
    table[i] = static_cast<uint32_t>(std::lround(exact - rounded));
    rounded += table[i];
  }
  return table;
}

const std::array<uint32_t, 4096> kFactors = MakeTable();

}  // namespace

const uint32_t* const Exponential::kTable = kFactors.data();

}  // namespace weir::dataplane
