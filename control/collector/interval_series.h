// Cuts cumulative counters into the per-second intervals of a record.
#ifndef WEIR_CONTROL_COLLECTOR_INTERVAL_SERIES_H_
#define WEIR_CONTROL_COLLECTOR_INTERVAL_SERIES_H_

#include <cstdint>
#include <vector>

#include "record/v1/record.pb.h"

namespace weir::control {

// What an interval is the difference of. Cumulative; jitter_ns as it is now.
struct Cumulative {
  uint64_t sent = 0;
  uint64_t unsent = 0;
  uint64_t received = 0;
  uint64_t lost = 0;
  uint64_t reordered = 0;
  uint64_t duplicated = 0;
  uint64_t ip_bytes = 0;
  double jitter_ns = 0;
};

// Begins at the first packet. Not thread-safe.
class IntervalSeries {
 public:
  static constexpr uint64_t kLengthNs = 1'000'000'000;

  void Begin(uint64_t at_ns);
  bool begun() const { return begin_ns_ != 0; }

  // When the present interval is over; 0 before Begin.
  uint64_t NextCutNs() const;
  bool Due(uint64_t now_ns) const { return begun() && now_ns >= NextCutNs(); }

  // Ends the present interval at `at_ns` and returns it.
  const record::v1::Interval& Cut(uint64_t at_ns, const Cumulative& now);

  // Ends the series. What is left after the last whole interval becomes one of its own, or, if
  // it is shorter than a tenth of one, part of the last.
  void Finish(uint64_t at_ns, const Cumulative& now);

  const std::vector<record::v1::Interval>& intervals() const { return intervals_; }

 private:
  record::v1::Interval Difference(uint64_t at_ns, const Cumulative& now) const;

  uint64_t begin_ns_ = 0;
  uint64_t cut_ns_ = 0;  // End of the last interval.
  Cumulative at_cut_;
  uint64_t before_last_ns_ = 0;  // Start of the last interval and counters then.
  Cumulative before_last_;
  std::vector<record::v1::Interval> intervals_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_COLLECTOR_INTERVAL_SERIES_H_
