// Public aggregates of what the store has released (proto/README.md section 2.9).
#ifndef WEIR_CONTROL_EXPORT_REPORT_H_
#define WEIR_CONTROL_EXPORT_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/admission/policy.h"
#include "control/store/store.h"
#include "measurement/v1/report.pb.h"

namespace weir::control {

// Reads every record of the time that was asked for, which may take seconds. Who runs the node is
// for the caller to fill in. InvalidArgument: the request. FailedPrecondition: an asn_table.
absl::StatusOr<measurement::v1::PublicReport> MakeReport(
    const measurement::v1::PublicReportRequest& request, const Policy& policy,
    const std::vector<std::string>& asn_tables, int64_t now_unix_ns, Store* store);

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_REPORT_H_
