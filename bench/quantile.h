// One quantile of measured values.
#ifndef WEIR_BENCH_QUANTILE_H_
#define WEIR_BENCH_QUANTILE_H_

#include <algorithm>
#include <cstddef>
#include <vector>

namespace weir::bench {

// The value that `share` (0 to 1) of them do not exceed; at least one is there. Reorders them.
inline double Quantile(std::vector<double>* values, double share) {
  const auto at = static_cast<size_t>(share * static_cast<double>(values->size() - 1));
  std::nth_element(values->begin(), values->begin() + static_cast<std::ptrdiff_t>(at),
                   values->end());
  return (*values)[at];
}

}  // namespace weir::bench

#endif  // WEIR_BENCH_QUANTILE_H_
