#include "control/admission/attempt.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace weir::control {

void Admission::Attempt::Note(const Step& step) {
  policy::v1::TraceStep& noted = *grant.trace.add_steps();
  noted.set_stage(step.stage);
  noted.set_rule(step.rule);
  noted.set_field(step.field);
  noted.set_value(step.value);
  noted.set_limit(step.limit);
  noted.set_verdict(step.verdict);
  noted.set_profile(step.profile);
  noted.set_shared(step.shared);
  if (step.serves != nullptr) *noted.mutable_serves() = step.serves->serves();
}

void WithoutSharedValues(policy::v1::Trace* trace) {
  for (policy::v1::TraceStep& step : *trace->mutable_steps()) {
    if (step.shared()) step.clear_value();
  }
}

const char* DirectionName(record::v1::Direction direction) {
  return direction == record::v1::DOWN ? "down" : "up";
}

std::string ParameterField(record::v1::Direction direction, const std::string& name) {
  return absl::StrCat("directions[", DirectionName(direction), "].parameters.", name);
}

std::string RateText(uint64_t bps) {
  const auto value = static_cast<double>(bps);
  if (bps >= 1'000'000'000) return absl::StrFormat("%.6g Gbit/s", value / 1e9);
  if (bps >= 1'000'000) return absl::StrFormat("%.6g Mbit/s", value / 1e6);
  return absl::StrFormat("%.6g kbit/s", value / 1e3);
}

void AddReason(std::vector<std::string>* reasons, const std::string& reason) {
  if (std::find(reasons->begin(), reasons->end(), reason) == reasons->end()) {
    reasons->push_back(reason);
  }
}

}  // namespace weir::control
