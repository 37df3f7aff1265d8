// A benchmark's time in TSC cycles.
#ifndef WEIR_BENCH_MEASURE_CYCLES_H_
#define WEIR_BENCH_MEASURE_CYCLES_H_

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/clock/clock.h"

namespace weir::bench {

// Reports what `work`, which handles `items` packets, takes: TSC cycles a packet as the counter
// "cycles", the median over the iterations, so that one during which the core was taken away does
// not count. `prepare` is not measured.
template <typename Prepare, typename Work>
void MeasureCycles(benchmark::State& state, size_t items, Prepare prepare, Work work) {
  std::vector<uint64_t> spent;
  for (auto _ : state) {
    prepare();
    const uint64_t start = dataplane::ReadTsc();
    work();
    spent.push_back(dataplane::ReadTsc() - start);
    state.SetIterationTime(static_cast<double>(spent.back()) * 1e-9);
  }
  const auto middle = spent.begin() + static_cast<long>(spent.size() / 2);
  std::nth_element(spent.begin(), middle, spent.end());
  state.counters["cycles"] = static_cast<double>(*middle) / static_cast<double>(items);
}

}  // namespace weir::bench

#endif  // WEIR_BENCH_MEASURE_CYCLES_H_
