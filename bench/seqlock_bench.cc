// The counter segment's cells: what a publish costs the worker and a sample the reader.
#include <benchmark/benchmark.h>

#include <memory>

#include "shm/segment.h"

namespace weir::bench {
namespace {

void SeqlockStore(benchmark::State& state) {
  auto cell = std::make_unique<shm::RxCell>();
  shm::RxCounters counters{};
  for (auto _ : state) {
    ++counters.packets;
    cell->cell.Store(counters);
  }
}
BENCHMARK(SeqlockStore);

void SeqlockLoad(benchmark::State& state) {
  auto cell = std::make_unique<shm::RxCell>();
  cell->cell.Store({});
  shm::RxCounters counters{};
  for (auto _ : state) {
    benchmark::DoNotOptimize(cell->cell.Load(&counters));
    benchmark::DoNotOptimize(counters);
  }
}
BENCHMARK(SeqlockLoad);

void HistogramAdd(benchmark::State& state) {
  auto histogram = std::make_unique<shm::LogHistogram>();
  uint64_t value = 1;
  for (auto _ : state) {
    histogram->Add(value >> 34);
    value = value * 6364136223846793005u + 1442695040888963407u;
  }
}
BENCHMARK(HistogramAdd);

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();
