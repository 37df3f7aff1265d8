#include "control/collector/interval_series.h"

#include <algorithm>

namespace weir::control {
namespace {

// Counters of a restarted or stale source must not wrap into huge differences.
uint64_t Minus(uint64_t later, uint64_t earlier) { return later > earlier ? later - earlier : 0; }

bool SomethingBetween(const Cumulative& earlier, const Cumulative& later) {
  return later.sent > earlier.sent || later.received > earlier.received ||
         later.lost > earlier.lost || later.unsent > earlier.unsent;
}

}  // namespace

void IntervalSeries::Begin(uint64_t at_ns) {
  begin_ns_ = at_ns;
  cut_ns_ = at_ns;
}

uint64_t IntervalSeries::NextCutNs() const {
  // Cuts stay on the grid of whole intervals from the beginning, however late one was made.
  return begun()
             ? begin_ns_ + (Minus(cut_ns_ + kLengthNs / 2, begin_ns_) / kLengthNs + 1) * kLengthNs
             : 0;
}

record::v1::Interval IntervalSeries::Difference(uint64_t at_ns, const Cumulative& now) const {
  record::v1::Interval interval;
  interval.set_index(static_cast<uint32_t>(intervals_.size()));
  interval.set_start_ns(Minus(cut_ns_, begin_ns_));
  interval.set_length_ns(Minus(at_ns, cut_ns_));
  interval.set_sent(Minus(now.sent, at_cut_.sent));
  interval.set_unsent(Minus(now.unsent, at_cut_.unsent));
  interval.set_received(Minus(now.received, at_cut_.received));
  interval.set_lost(Minus(now.lost, at_cut_.lost));
  interval.set_reordered(Minus(now.reordered, at_cut_.reordered));
  interval.set_duplicated(Minus(now.duplicated, at_cut_.duplicated));
  interval.set_jitter_ns(now.jitter_ns);
  if (interval.length_ns() > 0) {
    interval.set_ip_bps(static_cast<double>(Minus(now.ip_bytes, at_cut_.ip_bytes)) * 8e9 /
                        static_cast<double>(interval.length_ns()));
  }
  return interval;
}

const record::v1::Interval& IntervalSeries::Cut(uint64_t at_ns, const Cumulative& now) {
  intervals_.push_back(Difference(at_ns, now));
  before_last_ns_ = cut_ns_;
  before_last_ = at_cut_;
  cut_ns_ = std::max(at_ns, cut_ns_);
  at_cut_ = now;
  return intervals_.back();
}

void IntervalSeries::Finish(uint64_t at_ns, const Cumulative& now) {
  if (!begun() || !SomethingBetween(at_cut_, now)) return;
  if (!intervals_.empty() && at_ns < cut_ns_ + kLengthNs / 10) {
    intervals_.pop_back();
    cut_ns_ = before_last_ns_;
    at_cut_ = before_last_;
  }
  Cut(std::max(at_ns, cut_ns_ + 1), now);
}

}  // namespace weir::control
