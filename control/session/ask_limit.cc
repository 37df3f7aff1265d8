#include "control/session/ask_limit.h"

#include <absl/strings/str_cat.h>

#include "control/admission/ip_address.h"

namespace weir::control {
namespace {

constexpr int64_t kMinuteNs = int64_t{60} * 1'000'000'000;

// Whose questions are counted together.
std::string AskerNetwork(const std::string& ip) {
  const auto address = IpAddress::Parse(ip);
  return address ? Network(*address).ToString() : "?";
}

}  // namespace

absl::Status AskLimit::Count(const std::string& asker_ip, int64_t now_unix_ns) {
  const std::lock_guard lock(mutex_);
  if (const int64_t minute = now_unix_ns / kMinuteNs; minute != minute_) {
    minute_ = minute;
    asked_ = 0;
    asked_from_.clear();
  }
  absl::Status refused = absl::PermissionDeniedError(
      absl::StrCat(what_,
                   " are answered a few times a minute only; try again in a minute, or "
                   "write to the operator"));
  if (asked_ >= most_.of_all) return refused;
  ++asked_;
  if (uint32_t& from = asked_from_[AskerNetwork(asker_ip)]; ++from > most_.of_network) {
    return refused;
  }
  return absl::OkStatus();
}

}  // namespace weir::control
