#include "control/session/use_keeper.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "control/admission/request_form.h"

namespace weir::control {
namespace {

constexpr std::chrono::hours kSweepPeriod{1};

}  // namespace

absl::Status UseKeeper::Restore() {
  const absl::StatusOr<std::vector<UseRow>> rows = store_->LoadUse();
  if (!rows.ok()) return rows.status();
  std::vector<Admission::PastUse> uses;
  for (const UseRow& row : *rows) {
    uses.push_back({.key = UseKeyFromBytes(row.key),
                    .day = row.day,
                    .tests = row.tests,
                    .not_before_unix_s = row.not_before_unix_s,
                    .bytes = row.bytes});
  }
  admission_->RestoreUse(uses);
  const absl::StatusOr<std::vector<TokenRow>> tokens = store_->LoadTokens();
  if (!tokens.ok()) return tokens.status();
  std::vector<UsedToken> used;
  for (const TokenRow& row : *tokens) {
    used.push_back({.key = UseKeyFromBytes(row.key), .expires_unix_s = row.expires_unix_s});
  }
  admission_->RestoreTokens(used);
  absl::StatusOr<std::vector<EgressRow>> egress = store_->LoadEgress();
  if (!egress.ok()) return egress.status();
  past_ = *std::move(egress);
  return absl::OkStatus();
}

void UseKeeper::Observe(const std::string& port, const std::string& boot_id, uint64_t tx_bytes) {
  const int64_t now_unix_ns = absl::GetCurrentTimeNanos();
  if (seen_.insert(port).second) {
    std::vector<EgressMeter::Bucket> buckets;
    std::optional<uint64_t> counter;
    for (const EgressRow& row : past_) {
      if (row.port != port) continue;
      buckets.push_back(
          {.age_ns = now_unix_ns - row.at_unix_ns, .bytes = row.bytes, .counter = row.tx_bytes});
      // A counter of another boot says nothing of this one's.
      if (row.boot_id == boot_id && row.tx_bytes <= tx_bytes) {
        counter = std::max(counter.value_or(0), row.tx_bytes);
      }
    }
    admission_->RestoreEgress(port, buckets, counter);
  }
  if (const auto ended = admission_->ObserveEgress(port, tx_bytes)) {
    store_->SaveEgress({.port = port,
                        .boot_id = boot_id,
                        .tx_bytes = ended->counter,
                        .at_unix_ns = now_unix_ns - ended->age_ns,
                        .bytes = ended->bytes});
  }
  if (const auto now = std::chrono::steady_clock::now(); now >= sweep_at_) {
    sweep_at_ = now + kSweepPeriod;
    admission_->SweepUse();
  }
}

std::vector<UseRow> ToUseRows(const std::vector<UseCharge>& charges) {
  std::vector<UseRow> rows;
  for (const UseCharge& charge : charges) {
    rows.push_back({.key = UseKeyBytes(charge.key),
                    .day = charge.day,
                    .tests = 1,
                    .not_before_unix_s = charge.not_before_unix_s});
  }
  return rows;
}

uint64_t MovedBytes(const record::v1::DirectionResult& result,
                    const record::v1::TestParameters& granted) {
  const auto sent = static_cast<uint64_t>(static_cast<double>(result.sent()) *
                                          (granted.payload().empty() ? 0 : MeanIpPacket(granted)));
  return std::max<uint64_t>(sent, result.received_ip_bytes());
}

}  // namespace weir::control
