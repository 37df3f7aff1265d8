// What a destination acknowledged and may still lose.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_RECHECK_LEDGER_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_RECHECK_LEDGER_H_

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "control/export/delivery/engine.h"

namespace weir::control {

// A file of lines that is appended to, and rewritten when most of it is done with. Its times are
// the process's own, so that no clock that jumps shortens them: after a restart each entry waits
// anew. Used by one thread.
class RecheckLedger {
 public:
  using Clock = std::chrono::steady_clock;

  RecheckLedger(std::string path, std::chrono::seconds wait)
      : path_(std::move(path)), wait_(wait) {}
  ~RecheckLedger();
  RecheckLedger(const RecheckLedger&) = delete;
  RecheckLedger& operator=(const RecheckLedger&) = delete;

  // Reads it, or creates it and its directory. Once it is open, does nothing.
  absl::Status Open();
  // Durable. What is in it already waits anew.
  absl::Status Add(const std::vector<Copy>& copies);
  // Not durable: what comes back after a crash is looked at once more.
  absl::Status Remove(const std::vector<Copy>& copies);

  bool Has(const Copy& copy) const { return due_.contains(copy); }
  // Have waited long enough, longest first.
  std::vector<Copy> Due(Clock::time_point now, size_t limit) const;

 private:
  absl::Status Read();
  absl::Status Rewrite();
  absl::Status Append(char sign, const std::vector<Copy>& copies);

  const std::string path_;
  const std::chrono::seconds wait_;
  int file_ = -1;
  size_t lines_ = 0;
  std::map<Copy, Clock::time_point> due_;
  std::deque<std::pair<Clock::time_point, Copy>> order_;  // May hold what due_ has no more.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_RECHECK_LEDGER_H_
