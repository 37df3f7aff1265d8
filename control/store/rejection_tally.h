// Refusals on their way to the audit trail, counted together by minute and cause.
#ifndef WEIR_CONTROL_STORE_REJECTION_TALLY_H_
#define WEIR_CONTROL_STORE_REJECTION_TALLY_H_

#include <compare>
#include <cstdint>
#include <map>
#include <string>

#include "measurement/v1/measurement.pb.h"

namespace weir::control {

// Bounded whatever a flood of requests brings: beyond kMaxKeys the netblock is given up, never a
// count. Not thread-safe.
class RejectionTally {
 public:
  static constexpr size_t kMaxKeys = 4096;

  struct Key {
    int64_t minute_unix_ns = 0;
    std::string stage, rule, field, netblock;
    auto operator<=>(const Key&) const = default;  // NOLINT(modernize-use-nullptr)
  };
  struct Entry {
    uint64_t count = 0;
    std::string detail;  // The first one's message.
    std::string trace;   // And its trace, serialised.
  };

  // `peer` is a textual address, or empty; `at_unix_ns` is now.
  void Add(const measurement::v1::Rejection& rejection, const std::string& peer,
           int64_t at_unix_ns);

  bool empty() const { return entries_.empty(); }
  const std::map<Key, Entry>& entries() const { return entries_; }
  // Takes what was counted since the last call.
  std::map<Key, Entry> Take();
  // Puts back what could not be written.
  void Return(const std::map<Key, Entry>& entries);

 private:
  std::map<Key, Entry> entries_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_REJECTION_TALLY_H_
