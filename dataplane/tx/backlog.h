// How a paced flow catches up after its worker was kept from it.
#ifndef WEIR_DATAPLANE_TX_BACKLOG_H_
#define WEIR_DATAPLANE_TX_BACKLOG_H_

#include <algorithm>

#include "dataplane/tx/pacer.h"

namespace weir::dataplane {

// A flow that is found behind its deadlines would send all that has fallen due at once: a burst at
// the port's rate that nobody asked for, and a wrong gap for each of its packets. Instead its
// deadlines are put off together. The last few gaps that it is behind come back slowly, by so
// little of each gap that follows that it counts as right. What is more than that, after a long
// absence or where the worker is kept away too often, comes back at once, a gap left out for each
// packet that is late: to shorten the gaps by an eighth would make eight wrong ones of each.
// Nothing is forgotten: a deadline less behind() is what it would be had nothing happened.
// Written and read by the worker that owns the flow.
class Backlog {
 public:
  PaceTime behind() const { return behind_; }
  void set_behind(PaceTime behind) { behind_ = behind; }

  // The next deadline has passed since `late`, and is put off by as much.
  void PutOff(PaceTime late) { behind_ += late; }

  // What is left of the gap to the next deadline.
  PaceTime Shorten(PaceTime gap) {
    if (behind_ == 0) [[likely]]
      return gap;
    const bool at_once = behind_ > kSlowGaps * gap;
    const PaceTime shorter = at_once ? gap : std::min(gap / kSlowness, behind_);
    behind_ -= shorter;
    return gap - shorter;
  }

  // The gaps that follow must be at least so many times as long, together, as the flow is behind.
  static constexpr PaceTime kSlowness = 512;

 private:
  static constexpr PaceTime kSlowGaps = 5;

  PaceTime behind_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_TX_BACKLOG_H_
