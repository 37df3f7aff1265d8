#include "dataplane/tx/exponential.h"

#include <cmath>

namespace weir::dataplane {

// The mean over a share [a, b) of probability of -ln(1-p), times what that share weighs, is
// G(b) - G(a) with G(p) = (1-p) ln(1-p) + p.
Exponential::Table Exponential::MakeTable() {
  Table table;
  const auto shares = static_cast<double>(table.size());
  const auto integral = [shares](size_t share) {
    const double left = 1 - static_cast<double>(share) / shares;
    return left > 0 ? left * std::log(left) + 1 - left : 1.0;
  };
  double rounded = 0;  // So far; each entry takes up what rounding left.
  for (size_t i = 0; i < table.size(); ++i) {
    const double exact = integral(i + 1) * shares * (1 << kFractionBits);
    table[i] = static_cast<uint32_t>(std::lround(exact - rounded));
    rounded += table[i];
  }
  return table;
}

const Exponential::Table Exponential::kTable = MakeTable();

}  // namespace weir::dataplane
