#include "control/admission/policy_reloader.h"

#include <spdlog/spdlog.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace weir::control {
namespace {

using measurement::v1::ReloadPolicyReply;

// Any text cut off between two rules is a policy, and cut off before the first one it would close
// the node without anybody having said so.
absl::StatusOr<std::shared_ptr<const Policy>> LoadWithRules(const std::vector<std::string>& files) {
  absl::StatusOr<std::shared_ptr<const Policy>> policy = LoadPolicy(files);
  if (!policy.ok()) return policy;
  for (const auto& layer : (*policy)->layers()) {
    if (!layer->proto().admission().empty()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(layer->path(),
                     ": admission: no rule at all; is the file half-written? To admit nobody, say "
                     "so: admission { name: \"closed\" effect: DENY }"));
  }
  return policy;
}

double NowSeconds() { return absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()); }

}  // namespace

PolicyReloader::PolicyReloader(std::vector<std::string> files, Admission* admission, Store* store,
                               Metrics* metrics)
    : files_(std::move(files)), admission_(admission), store_(store), metrics_(metrics) {
  const std::shared_ptr<const Policy> policy = admission_->policy();
  metrics_->SetPolicy(policy->profile(), policy->digest(), NowSeconds());
  store_->Audit({.event = "policy_applied",
                 .detail = absl::StrCat("at start: ", policy->profile(), ", ", policy->digest())});
}

ReloadPolicyReply PolicyReloader::Reload(const std::string& cause) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<const Policy> before = admission_->policy();
  absl::StatusOr<std::shared_ptr<const Policy>> read = LoadWithRules(files_);

  ReloadPolicyReply reply;
  reply.set_previous_digest(before->digest());
  const std::shared_ptr<const Policy> after = read.ok() ? *read : before;
  reply.set_profile(after->profile());
  reply.set_policy_digest(after->digest());
  if (!read.ok()) {
    const std::string why(read.status().message());
    const std::vector<std::string> errors = absl::StrSplit(why, '\n');
    reply.set_result(ReloadPolicyReply::KEPT_LAST_GOOD);
    reply.mutable_errors()->Add(errors.begin(), errors.end());
    spdlog::error("policy: not reloaded ({}), {} stays in force: {}", cause, before->digest(), why);
    metrics_->CountPolicyReload("kept");
    metrics_->SetPolicyCurrent(false);
    store_->Audit(
        {.event = "policy_kept",
         .detail = absl::StrCat(cause, ": ", before->digest(), " stays in force: ", why)});
    return reply;
  }
  const std::vector<std::string> warnings = after->warnings();
  reply.mutable_warnings()->Add(warnings.begin(), warnings.end());
  for (const std::string& warning : warnings) spdlog::warn("policy: {}", warning);
  metrics_->SetPolicyCurrent(true);
  const bool changed = after->digest() != before->digest();
  if (changed) {
    admission_->SetPolicy(after);
    metrics_->SetPolicy(after->profile(), after->digest(), NowSeconds());
  }
  reply.set_result(changed ? ReloadPolicyReply::APPLIED : ReloadPolicyReply::UNCHANGED);
  metrics_->CountPolicyReload(changed ? "applied" : "unchanged");
  spdlog::info("policy: {} ({}): {} ({})", changed ? "reloaded" : "unchanged", cause,
               after->profile(), after->digest());
  store_->Audit(
      {.event = changed ? "policy_applied" : "policy_unchanged",
       .detail = absl::StrCat(cause, ": ", after->profile(), ", ", after->digest(),
                              changed ? " instead of " : "", changed ? before->digest() : "")});
  return reply;
}

}  // namespace weir::control
