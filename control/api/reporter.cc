#include "control/api/reporter.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <spdlog/spdlog.h>

#include <string>

#include "control/export/report.h"

namespace weir::control {

absl::StatusOr<measurement::v1::PublicReport> Reporter::Make(
    const measurement::v1::PublicReportRequest& request) const {
  auto report = MakeReport(request, *admission_->policy(),
                           {config_->asn_table().begin(), config_->asn_table().end()},
                           absl::GetCurrentTimeNanos(), store_);
  if (!report.ok()) return report.status();
  report->set_node(config_->node());
  report->set_operator_(config_->operator_());
  report->set_contact(config_->contact());
  return report;
}

absl::StatusOr<measurement::v1::PublicReport> Reporter::MakeForStrangers(
    const measurement::v1::PublicReportRequest& request) const {
  auto report = Make(request);
  if (report.ok() || absl::IsInvalidArgument(report.status())) return report;
  spdlog::warn("a report that was asked for cannot be made: {}",
               std::string(report.status().message()));
  return absl::UnavailableError(
      absl::StrCat("the node cannot make a report now; ask its operator: ", config_->contact()));
}

}  // namespace weir::control
