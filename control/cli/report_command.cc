#include "control/cli/report_command.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "control/cli/html/page.h"
#include "control/cli/query.h"
#include "control/cli/remote_server.h"
#include "control/cli/render_report.h"
#include "control/cli/report_page.h"

namespace weir::cli {
namespace {

namespace ms = measurement::v1;

absl::StatusOr<ms::PublicReportRequest> MakeRequest(const ReportOptions& options) {
  ms::PublicReportRequest request;
  const int64_t now = absl::GetCurrentTimeNanos();
  const auto moment = [&](const char* flag, const std::string& text) -> absl::StatusOr<uint64_t> {
    if (text.empty()) return uint64_t{0};
    if (const auto ns = ParseDay(text, now)) return *ns;
    return absl::InvalidArgumentError(
        absl::StrCat(flag, ": \"", text,
                     "\" is not a time; allowed: 2026-11-28, 2026-11-28T12:00:00Z, or how long "
                     "ago: 36h, 30d"));
  };
  const auto since = moment("--since", options.since);
  if (!since.ok()) return since.status();
  const auto until = moment("--until", options.until);
  if (!until.ok()) return until.status();
  request.set_since_unix_ns(*since);
  request.set_until_unix_ns(*until);
  for (const std::string& by : options.by) {
    request.add_by(by == "time" ? ms::TIME : by == "prefix" ? ms::PREFIX : ms::ASN);
  }
  request.set_experiment(options.experiment);
  return request;
}

}  // namespace

std::optional<uint64_t> ParseDay(std::string_view text, int64_t now_unix_ns) {
  absl::Time time;
  const std::string whole(text);
  if (!absl::ParseTime("%Y-%m-%d", whole, absl::UTCTimeZone(), &time, nullptr) &&
      !absl::ParseTime(absl::RFC3339_full, whole, &time, nullptr)) {
    double count = 0;
    if (text.size() < 2 || !absl::SimpleAtod(whole.substr(0, whole.size() - 1), &count)) {
      return std::nullopt;
    }
    const double seconds = text.back() == 'd'   ? 86'400
                           : text.back() == 'h' ? 3'600
                           : text.back() == 'm' ? 60
                                                : 0;
    if (seconds == 0 || !(count >= 0) || count * seconds > 3e9) return std::nullopt;
    time = absl::FromUnixNanos(now_unix_ns) - absl::Seconds(count * seconds);
  }
  const int64_t ns = absl::ToUnixNanos(time);
  return ns > 0 ? std::optional<uint64_t>(ns) : std::nullopt;
}

ExitCode ShowReport(const Context& context, const ReportOptions& options) {
  const auto request = MakeRequest(options);
  if (!request.ok()) {
    return Report(context, {ExitCode::kUsage, std::string(request.status().message())});
  }
  absl::Status written;
  const auto render = [&](const ms::PublicReport& report) {
    if (!options.html.empty()) {
      written = WritePage("--html", options.html, RenderReportPage(report));
    }
    return context.json ? JsonLine(report) : RenderReport(report, context.terminal);
  };
  constexpr char kWhat[] = "cannot make a report";
  ExitCode code = ExitCode::kOk;
  if (options.server.empty()) {
    code = Query(context, kWhat, &AdminStub::GetReport, *request, render);
  } else {
    ms::RemoteReportRequest remote;
    *remote.mutable_remote() = ToRemote(options.server, options.ca, options.plaintext);
    *remote.mutable_report() = *request;
    code = Query(context, kWhat, &AdminStub::GetRemoteReport, remote, render);
  }
  if (!written.ok()) {
    return Report(context, {ExitCode::kUsage, std::string(written.message())});
  }
  return code;
}

}  // namespace weir::cli
