// How a paced flow catches up after its worker was kept from it.
#ifndef WEIR_DATAPLANE_TX_BACKLOG_H_
#define WEIR_DATAPLANE_TX_BACKLOG_H_

#include <algorithm>

#include "dataplane/tx/pacer.h"

namespace weir::dataplane {

// A flow that is found behind its deadlines would send all that has fallen due at once: a burst at
// the port's rate that nobody asked for, and one wrong gap for each of its packets. Instead its
// deadlines are put off together, and come back by shortening the gaps that follow: by an eighth,
// or by a sixteenth of what it is behind if that is more. So a short absence is caught up within a
// few dozen packets, and of a long one all but the end at once.
// Nothing is forgotten: a deadline less behind() is what it would be had nothing happened.
// Written and read by the worker that owns the flow.
class Backlog {
 public:
  PaceTime behind() const { return behind_; }
  void set_behind(PaceTime behind) { behind_ = behind; }

  // By how much the next deadline is to be put off if it has passed since `late`, of which `slack`
  // is nothing to worry about.
  PaceTime PutOff(PaceTime late, PaceTime slack) {
    behind_ += late - slack;
    return late - slack;
  }

  // What is left of the gap to the next deadline.
  PaceTime Shorten(PaceTime gap) {
    if (behind_ == 0) [[likely]]
      return gap;
    const PaceTime least = std::max(gap / 8, behind_ / 16);
    const PaceTime shorter = std::min({least, gap, behind_});
    behind_ -= shorter;
    return gap - shorter;
  }

 private:
  PaceTime behind_ = 0;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_TX_BACKLOG_H_
