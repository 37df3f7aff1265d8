#include "control/export/report.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "control/admission/asn_table.h"
#include "control/export/disclosure.h"
#include "control/export/export_policy.h"
#include "control/export/report_table.h"

namespace weir::control {
namespace {

namespace ms = measurement::v1;

constexpr int64_t kHourNs = int64_t{3'600} * 1'000'000'000;
constexpr int64_t kReportDayNs = 24 * kHourNs;
constexpr int64_t kWeekNs = 7 * kReportDayNs;
constexpr int64_t kFirstMondayNs = 4 * kReportDayNs;  // 1970-01-05.
constexpr int64_t kDefaultSpanNs = 30 * kReportDayNs;
constexpr int64_t kLatestUnixNs = int64_t{9'000'000'000} * 1'000'000'000;

int64_t RoundDown(int64_t ns, int64_t unit) { return ns - ns % unit; }

// No more than some hundred of them.
int64_t BucketNs(int64_t span_ns) {
  if (span_ns <= 3 * kReportDayNs) return kHourNs;
  return span_ns <= 120 * kReportDayNs ? kReportDayNs : kWeekNs;
}

std::string BucketName(int64_t unix_ns, int64_t bucket_ns) {
  const int64_t first = bucket_ns == kWeekNs ? kFirstMondayNs : 0;
  const int64_t start = unix_ns < first ? 0 : first + RoundDown(unix_ns - first, bucket_ns);
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixNanos(start), absl::UTCTimeZone());
}

struct Window {
  int64_t since = 0, until = 0;
};

absl::StatusOr<Window> FindWindow(const ms::PublicReportRequest& request, int64_t now_unix_ns) {
  for (const auto& [field, value] : {std::pair("since_unix_ns", request.since_unix_ns()),
                                     std::pair("until_unix_ns", request.until_unix_ns())}) {
    if (value > static_cast<uint64_t>(kLatestUnixNs)) {
      return absl::InvalidArgumentError(absl::StrCat(field, ": no time of this century"));
    }
  }
  const int64_t until =
      request.until_unix_ns() == 0 ? now_unix_ns : static_cast<int64_t>(request.until_unix_ns());
  const int64_t since = request.since_unix_ns() == 0
                            ? std::max<int64_t>(until - kDefaultSpanNs, 0)
                            : static_cast<int64_t>(request.since_unix_ns());
  if (since >= until) {
    return absl::InvalidArgumentError("since_unix_ns: must be before until_unix_ns");
  }
  return Window{.since = RoundDown(since, kHourNs),
                .until = RoundDown(until + kHourNs - 1, kHourNs)};
}

// All tables of one report, filled in one pass over the records.
class ReportMaker {
 public:
  ReportMaker(const Policy& policy, int64_t bucket_ns, std::vector<ms::ReportDimension> by,
              std::optional<AsnTable> origins)
      : policy_(policy),
        bucket_ns_(bucket_ns),
        origins_(std::move(origins)),
        dimensions_(std::move(by)),
        tables_(dimensions_.size()) {}

  void Add(const StoredRecord& stored) {
    ++records_;
    const record::v1::Record& record = stored.record;
    const Fields fields =
        Disclose(policy_, Role::kPublic, stored.standing.state, record.release_class());
    if (!fields.Has(Field::kOutline) || !fields.Has(Field::kMeasurement)) {
      ++withheld_;
    } else if (record.outcome() != record::v1::COMPLETED) {
      ++aborted_;
    } else {
      const std::string client = fields.Has(Field::kClient) ? record.client().value() : "";
      const ReportSample sample(record);
      const uint32_t number = Number(client);
      for (size_t i = 0; i < dimensions_.size(); ++i) {
        tables_[i].Add(Name(dimensions_[i], record, client), number, sample);
      }
    }
  }

  void Finish(ms::PublicReport* report) {
    const uint32_t min_clients = policy_.report_min_clients();
    report->set_min_clients(min_clients);
    report->set_records(records_);
    report->set_withheld(withheld_);
    report->set_aborted(aborted_);
    report->set_asn_known(origins_.has_value());
    for (size_t i = 0; i < dimensions_.size(); ++i) {
      ms::ReportTable* table = report->add_tables();
      table->set_by(dimensions_[i]);
      const bool by_time = dimensions_[i] == ms::TIME;
      if (by_time) table->set_bucket_ns(static_cast<uint64_t>(bucket_ns_));
      std::move(tables_[i]).Finish(min_clients, by_time, table);
    }
  }

 private:
  uint32_t Number(const std::string& client) {
    if (client.empty()) return 0;
    return clients_.emplace(client, static_cast<uint32_t>(clients_.size() + 1)).first->second;
  }

  std::string Name(ms::ReportDimension by, const record::v1::Record& record,
                   const std::string& client) const {
    switch (by) {
      case ms::TIME:
        return BucketName(
            google::protobuf::util::TimeUtil::TimestampToNanoseconds(record.negotiated_at()),
            bucket_ns_);
      case ms::PREFIX: {
        const auto netblock = KeepAddress(record::v1::ADDRESS_NETBLOCK, client);
        return netblock ? netblock->value() : "";
      }
      default:
        return OriginOf(client);
    }
  }

  // Empty: not known.
  std::string OriginOf(const std::string& client) const {
    const auto prefix = IpPrefix::Parse(client);
    const Origin* origin = prefix.ok() && origins_ ? origins_->Find(*prefix) : nullptr;
    return origin == nullptr ? "" : origin->name;
  }

  const Policy& policy_;
  const int64_t bucket_ns_;
  const std::optional<AsnTable> origins_;
  const std::vector<ms::ReportDimension> dimensions_;
  std::vector<ReportTableBuilder> tables_;  // Of each dimension.
  std::unordered_map<std::string, uint32_t> clients_;
  uint64_t records_ = 0, withheld_ = 0, aborted_ = 0;
};

std::string Format(int64_t unix_ns) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixNanos(unix_ns), absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<ms::PublicReport> MakeReport(const ms::PublicReportRequest& request,
                                            const Policy& policy,
                                            const std::vector<std::string>& asn_tables,
                                            int64_t now_unix_ns, Store* store) {
  const absl::StatusOr<Window> window = FindWindow(request, now_unix_ns);
  if (!window.ok()) return window.status();
  std::vector<ms::ReportDimension> by;
  for (const int one : request.by()) {
    if (one < ms::TIME || one > ms::ASN) {
      return absl::InvalidArgumentError("by: allowed: TIME, PREFIX, ASN");
    }
    const auto dimension = static_cast<ms::ReportDimension>(one);
    if (std::find(by.begin(), by.end(), dimension) == by.end()) by.push_back(dimension);
  }
  if (by.empty()) by = {ms::TIME, ms::PREFIX, ms::ASN};
  std::optional<AsnTable> origins;
  if (!asn_tables.empty() && std::find(by.begin(), by.end(), ms::ASN) != by.end()) {
    absl::StatusOr<AsnTable> loaded = AsnTable::Load(asn_tables);
    if (!loaded.ok()) return absl::FailedPreconditionError(loaded.status().message());
    origins = *std::move(loaded);
  }

  ReportMaker maker(policy, BucketNs(window->until - window->since), std::move(by),
                    std::move(origins));
  absl::Status status =
      store->VisitReleased(window->since, window->until, request.experiment(),
                           [&](const StoredRecord& stored) { maker.Add(stored); });
  if (!status.ok()) return status;
  ms::PublicReport report;
  report.set_generated_at(Format(now_unix_ns));
  report.set_since(Format(window->since));
  report.set_until(Format(window->until));
  report.set_experiment(request.experiment());
  maker.Finish(&report);
  return report;
}

}  // namespace weir::control
