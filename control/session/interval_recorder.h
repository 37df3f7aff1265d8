// Writes each new interval of a session to the store as the session runs.
#ifndef WEIR_CONTROL_SESSION_INTERVAL_RECORDER_H_
#define WEIR_CONTROL_SESSION_INTERVAL_RECORDER_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/session/direction_run.h"
#include "control/session/session.h"
#include "control/store/store.h"

namespace weir::control {

// Used by one session's thread.
class IntervalRecorder {
 public:
  IntervalRecorder(Store* store, std::string session_id, std::vector<DirectionRun*> runs)
      : store_(store), session_id_(std::move(session_id)), runs_(std::move(runs)) {}

  void operator()(SessionState) {
    for (const DirectionRun* run : runs_) {
      const std::optional<record::v1::Interval> interval = run->LatestInterval();
      if (!interval.has_value()) continue;
      const record::v1::Direction direction = run->end().direction();
      if (interval->index() < written_[direction]) continue;
      written_[direction] = interval->index() + 1;
      store_->AppendInterval(session_id_, direction, *interval);
    }
  }

 private:
  Store* store_;
  std::string session_id_;
  std::vector<DirectionRun*> runs_;
  std::map<record::v1::Direction, uint32_t> written_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_INTERVAL_RECORDER_H_
