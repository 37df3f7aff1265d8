#include "control/admission/decision_trace.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"

namespace weir::control {
namespace {

constexpr size_t kUsualSteps = 32;

std::string NumberText(std::string_view unit, uint64_t number) {
  return unit == "rate"   ? RateText(number)
         : unit == "time" ? DurationText(number)
                          : std::to_string(number);
}

}  // namespace

std::string RateText(uint64_t bps) {
  const auto value = static_cast<double>(bps);
  if (bps >= 1'000'000'000) return absl::StrFormat("%.6g Gbit/s", value / 1e9);
  if (bps >= 1'000'000) return absl::StrFormat("%.6g Mbit/s", value / 1e6);
  return absl::StrFormat("%.6g kbit/s", value / 1e3);
}

std::string DurationText(uint64_t ns) {
  return absl::StrFormat("%.6g s", static_cast<double>(ns) / 1e9);
}

std::string Phrase::ToString() const {
  std::string words(text);
  uint64_t number = first;
  for (std::string_view rest = form; !rest.empty(); number = second) {
    const size_t open = rest.find('{');
    words += rest.substr(0, open);
    if (open == std::string_view::npos) break;
    const size_t close = rest.find('}', open);
    words += NumberText(rest.substr(open + 1, close - open - 1), number);
    rest.remove_prefix(close + 1);
  }
  return words;
}

policy::v1::TraceStep DecisionStep::ToProto() const {
  policy::v1::TraceStep step;
  step.set_stage(stage.data(), stage.size());
  step.set_rule(rule.data(), rule.size());
  step.mutable_field()->append(within).append(field);
  step.set_value(value.ToString());
  step.set_limit(limit.ToString());
  step.set_verdict(verdict);
  step.set_profile(profile.data(), profile.size());
  step.set_shared(shared);
  if (serves != nullptr) *step.mutable_serves() = serves->serves();
  return step;
}

DecisionTrace::DecisionTrace(std::shared_ptr<const Policy> policy) : policy_(std::move(policy)) {
  steps_.reserve(kUsualSteps);
}

std::string_view DecisionTrace::Keep(std::string text) {
  return kept_.emplace_front(std::move(text));
}

policy::v1::Trace DecisionTrace::ToProto() const {
  policy::v1::Trace trace;
  if (policy_ != nullptr) trace.set_policy_digest(policy_->digest());
  trace.mutable_steps()->Reserve(static_cast<int>(steps_.size()));
  for (const DecisionStep& step : steps_) *trace.add_steps() = step.ToProto();
  return trace;
}

}  // namespace weir::control
