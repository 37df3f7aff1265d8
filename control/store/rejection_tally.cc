#include "control/store/rejection_tally.h"

#include <utility>

#include "control/admission/ip_address.h"

namespace weir::control {
namespace {

constexpr int64_t kTallyMinuteNs = int64_t{60} * 1'000'000'000;

}  // namespace

void RejectionTally::Add(const measurement::v1::Rejection& rejection, const std::string& peer,
                         int64_t at_unix_ns) {
  Key key{.minute_unix_ns = at_unix_ns - at_unix_ns % kTallyMinuteNs,
          .stage = rejection.stage(),
          .rule = rejection.rule(),
          .field = rejection.field(),
          .netblock = {}};
  if (const auto address = IpAddress::Parse(peer)) key.netblock = Netblock(*address).ToString();
  if (entries_.size() >= kMaxKeys && !entries_.contains(key)) key.netblock.clear();
  Entry& entry = entries_[std::move(key)];
  if (entry.count++ != 0) return;
  entry.detail = rejection.message();
  entry.trace = rejection.trace().SerializeAsString();
}

std::map<RejectionTally::Key, RejectionTally::Entry> RejectionTally::Take() {
  return std::exchange(entries_, {});
}

void RejectionTally::Return(const std::map<Key, Entry>& entries) {
  for (const auto& [key, entry] : entries) {
    Entry& kept = entries_[key];
    kept.count += entry.count;
    kept.detail = entry.detail;
    kept.trace = entry.trace;
  }
}

}  // namespace weir::control
