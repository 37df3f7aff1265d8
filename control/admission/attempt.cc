#include "control/admission/attempt.h"

#include <algorithm>

namespace weir::control {

void WithoutSharedValues(policy::v1::Trace* trace) {
  for (policy::v1::TraceStep& step : *trace->mutable_steps()) {
    if (step.shared()) step.clear_value();
  }
}

const char* DirectionName(record::v1::Direction direction) {
  return direction == record::v1::DOWN ? "down" : "up";
}

std::string_view ParametersOf(record::v1::Direction direction) {
  return direction == record::v1::DOWN ? "directions[down].parameters."
                                       : "directions[up].parameters.";
}

void AddReason(std::vector<std::string>* reasons, const std::string& reason) {
  if (std::find(reasons->begin(), reasons->end(), reason) == reasons->end()) {
    reasons->push_back(reason);
  }
}

}  // namespace weir::control
