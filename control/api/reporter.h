// What a node says of its released records, under its name.
#ifndef WEIR_CONTROL_API_REPORTER_H_
#define WEIR_CONTROL_API_REPORTER_H_

#include <absl/status/statusor.h>

#include "config/v1/config.pb.h"
#include "control/admission/admission.h"
#include "control/store/store.h"
#include "measurement/v1/report.pb.h"

namespace weir::control {

inline constexpr char kReportsUnderWay[] =
    "several reports are being made already; try again in a minute";

// Thread-safe. What it is given must outlive it.
class Reporter {
 public:
  Reporter(const config::v1::Config* config, const Admission* admission, Store* store)
      : config_(config), admission_(admission), store_(store) {}

  // May take seconds. InvalidArgument: the request. FailedPrecondition: an asn_table of the
  // configuration.
  absl::StatusOr<measurement::v1::PublicReport> Make(
      const measurement::v1::PublicReportRequest& request) const;
  // Likewise, but what is wrong with the node is for its log alone: Unavailable.
  absl::StatusOr<measurement::v1::PublicReport> MakeForStrangers(
      const measurement::v1::PublicReportRequest& request) const;

 private:
  const config::v1::Config* const config_;
  const Admission* const admission_;
  Store* const store_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_REPORTER_H_
