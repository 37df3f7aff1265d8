// Rates between two looks at a node's counters.
#ifndef WEIR_CONTROL_CLI_ACTIVITY_RATES_H_
#define WEIR_CONTROL_CLI_ACTIVITY_RATES_H_

#include "measurement/v1/admin.pb.h"

namespace weir::cli {

// Sets the rates of `now`. All zero, and interval_s too, if the counters are not of one run of the
// dataplane: there is nothing to compare with.
void TakeRates(const measurement::v1::NodeActivity& before, measurement::v1::NodeActivity* now);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_ACTIVITY_RATES_H_
