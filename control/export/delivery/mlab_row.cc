#include "control/export/delivery/mlab_row.h"

#include <google/protobuf/util/time_util.h>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "control/export/delivery/print_json.h"
#include "export/v1/mlab.pb.h"

namespace weir::control {
namespace {

struct Facts {
  std::string session_id;
  record::v1::Direction direction = record::v1::DIRECTION_UNSPECIFIED;
  uint64_t unix_ns = 0;
};

Facts FactsOf(const delivery::v1::Item& item) {
  if (item.has_tombstone()) {
    const auto& tombstone = item.tombstone();
    return {tombstone.session_id(), tombstone.direction(), tombstone.negotiated_unix_ns()};
  }
  const auto& record = item.record();
  return {record.session_id(), record.direction(),
          static_cast<uint64_t>(
              google::protobuf::util::TimeUtil::TimestampToNanoseconds(record.negotiated_at()))};
}

const char* DirectionName(record::v1::Direction direction) {
  return direction == record::v1::DOWN ? "down" : "up";
}

}  // namespace

MlabName NameOf(const delivery::v1::Item& item, const std::string& experiment,
                const std::string& datatype) {
  const Facts facts = FactsOf(item);
  return {.experiment = experiment,
          .datatype = datatype,
          .subtest =
              absl::StrCat(item.has_tombstone() ? "erasure" : "", DirectionName(facts.direction)),
          .unix_ns = facts.unix_ns,
          .uuid = facts.session_id};
}

absl::StatusOr<std::string> EncodeRow(const delivery::v1::Item& item,
                                      const delivery::v1::AuditHead& head) {
  const Facts facts = FactsOf(item);
  const absl::Time time = absl::FromUnixNanos(static_cast<int64_t>(facts.unix_ns));
  delivery::v1::MlabRow row;
  row.set_id(item.record_id());
  row.set_date(absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone()));
  auto& summary = *row.mutable_a();
  summary.set_uuid(facts.session_id);
  summary.set_test_time(absl::FormatTime("%Y-%m-%dT%H:%M:%E9SZ", time, absl::UTCTimeZone()));
  summary.set_direction(DirectionName(facts.direction));
  summary.set_erasure(item.has_tombstone());
  row.mutable_parser()->set_version("weir " WEIR_VERSION);
  *row.mutable_parser()->mutable_audit_head() = head;
  if (item.has_record()) {
    const record::v1::Record& record = item.record();
    const record::v1::DirectionResult& result = record.result();
    summary.set_mean_throughput_mbps(result.achieved_ip_bps() / 1e6);
    const uint64_t all = result.received() + result.lost();
    if (all != 0) {
      summary.set_loss_rate(static_cast<double>(result.lost()) / static_cast<double>(all));
    }
    row.mutable_server()->set_node(record.server().node());
    row.mutable_server()->set_operator_(record.server().operator_());
    row.mutable_server()->set_contact(record.server().contact());
    row.mutable_client()->set_address(record.client().value());
    *row.mutable_raw() = record;
  }
  absl::StatusOr<std::string> json = PrintJson(row);
  if (!json.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("row: ", std::string(json.status().message())));
  }
  return json;
}

}  // namespace weir::control
