#include "control/admission/decision_trace.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace weir::control {
namespace {

void AppendNumber(std::string_view unit, uint64_t number, std::string* to) {
  if (unit == "rate") {
    *to += RateText(number);
  } else if (unit == "time") {
    *to += DurationText(number);
  } else {
    absl::StrAppend(to, number);
  }
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
    AppendNumber(rest.substr(open + 1, close - open - 1), number, &words);
    rest.remove_prefix(close + 1);
  }
  return words;
}

void DecisionStep::Write(policy::v1::TraceStep* step) const {
  step->set_stage(stage.data(), stage.size());
  step->set_rule(rule.data(), rule.size());
  step->mutable_field()->append(within).append(field);
  step->set_value(value.ToString());
  step->set_limit(limit.ToString());
  step->set_verdict(verdict);
  step->set_profile(profile.data(), profile.size());
  step->set_shared(shared);
  if (serves != nullptr) *step->mutable_serves() = serves->serves();
}

DecisionTrace::DecisionTrace(std::shared_ptr<const Policy> policy) : policy_(std::move(policy)) {}

std::string_view DecisionTrace::Keep(std::string text) {
  return kept_.emplace_front(std::move(text));
}

policy::v1::Trace DecisionTrace::ToProto() const {
  policy::v1::Trace trace;
  if (policy_ != nullptr) trace.set_policy_digest(policy_->digest());
  trace.mutable_steps()->Reserve(static_cast<int>(steps_.size()));
  for (const DecisionStep& step : steps_) step.Write(trace.add_steps());
  return trace;
}

}  // namespace weir::control
