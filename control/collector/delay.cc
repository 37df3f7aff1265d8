#include "control/collector/delay.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace weir::control {

using shm::LogHistogram;

DelayCounts::DelayCounts() : counts_(LogHistogram::kBuckets) {}

void DelayCounts::Add(const LogHistogram& histogram, uint64_t shift_ns) {
  for (uint32_t bucket = 0; bucket < LogHistogram::kBuckets; ++bucket) {
    const uint64_t count = histogram.counts[bucket].load(std::memory_order_relaxed);
    if (count == 0) continue;
    const uint32_t target =
        shift_ns == 0 ? bucket
                      : LogHistogram::BucketOf(LogHistogram::BucketLow(bucket) +
                                               LogHistogram::BucketWidth(bucket) / 2 + shift_ns);
    counts_[target] += count;
    total_ += count;
  }
}

double DelayCounts::Quantile(double quantile) const {
  const double rank = quantile * static_cast<double>(total_);
  double below = 0;
  for (uint32_t bucket = 0; bucket < LogHistogram::kBuckets; ++bucket) {
    if (counts_[bucket] == 0) continue;
    const double count = static_cast<double>(counts_[bucket]);
    if (below + count >= rank) {
      return static_cast<double>(LogHistogram::BucketLow(bucket)) +
             static_cast<double>(LogHistogram::BucketWidth(bucket)) * (rank - below) / count;
    }
    below += count;
  }
  return 0;
}

record::v1::Delay MeasureDelay(const Segment& segment, const std::vector<RxFlow>& flows,
                               bool synchronised) {
  struct Source {
    const LogHistogram* histogram;
    shm::RxCounters counters;
  };
  std::vector<Source> sources;
  for (const RxFlow& flow : flows) {
    for (uint32_t worker = 0; worker < segment.header().workers; ++worker) {
      const std::optional<shm::RxCounters> rx = segment.Rx(worker, flow.slot.slot);
      const LogHistogram* histogram = segment.Histogram(worker, flow.histogram_index);
      if (histogram == nullptr || !rx.has_value() || rx->generation != flow.slot.generation ||
          rx->packets == 0) {
        continue;
      }
      sources.push_back({histogram, *rx});
    }
  }

  record::v1::Delay delay;
  delay.set_clocks_synchronised(synchronised);
  if (sources.empty()) return delay;

  int64_t base = sources[0].counters.delay_base_ns;
  int64_t min = sources[0].counters.delay_min_ns;
  int64_t max = sources[0].counters.delay_max_ns;
  for (const Source& source : sources) {
    base = std::min(base, source.counters.delay_base_ns);
    min = std::min(min, source.counters.delay_min_ns);
    max = std::max(max, source.counters.delay_max_ns);
  }
  DelayCounts counts;
  double sum = 0;
  double samples = 0;
  for (const Source& source : sources) {
    const int64_t shift = source.counters.delay_base_ns - base;
    counts.Add(*source.histogram, static_cast<uint64_t>(shift));
    const double count = static_cast<double>(source.counters.packets);
    sum += static_cast<double>(source.counters.delay_sum_ns) + static_cast<double>(shift) * count;
    samples += count;
  }

  const int64_t offset = synchronised ? base : 0;  // Of what is reported.
  const int64_t relative = base - offset;          // What is subtracted from absolute values.
  // The exact extremes bound what interpolation may say.
  const auto quantile = [&](double share) {
    const int64_t value = offset + static_cast<int64_t>(std::llround(counts.Quantile(share)));
    return std::clamp(value, min - relative, max - relative);
  };
  delay.set_samples(counts.total());
  delay.set_base_ns(relative);
  delay.set_min_ns(min - relative);
  delay.set_max_ns(max - relative);
  delay.set_p50_ns(quantile(0.5));
  delay.set_p99_ns(quantile(0.99));
  delay.set_p999_ns(quantile(0.999));
  delay.set_mean_ns(offset + static_cast<int64_t>(std::llround(sum / samples)));
  return delay;
}

}  // namespace weir::control
