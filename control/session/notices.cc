#include "control/session/notices.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>
#include <google/protobuf/util/json_util.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "control/session/session.h"

namespace weir::control {
namespace {

using measurement::v1::Notice;

constexpr char kAuditEvent[] = "unusual_activity";

std::string ToJson(const Notice& notice) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  (void)google::protobuf::util::MessageToJsonString(notice, &json, options);
  return json;
}

}  // namespace

Notices::Notices(record::v1::ServerIdentity server, Store* store, Metrics* metrics,
                 const std::string& webhook)
    : server_(std::move(server)), store_(store), metrics_(metrics), webhook_(webhook) {}

void Notices::Raise(const Unusual& unusual, const Subject& subject) {
  Notice notice;
  notice.set_node(server_.node());
  notice.set_operator_(server_.operator_());
  notice.set_contact(server_.contact());
  notice.set_trigger(unusual.trigger);
  notice.set_window_start(FormatTime(unusual.from_ns));
  notice.set_window_end(FormatTime(unusual.to_ns));
  notice.set_port(subject.port);
  notice.set_admitted_bps(unusual.admitted_bps);
  notice.set_observed_bps(unusual.observed_bps);
  notice.set_observed_pps(unusual.observed_pps);
  notice.mutable_session_ids()->Add(subject.session_ids.begin(), subject.session_ids.end());
  notice.set_action(subject.action);

  const std::string trigger = absl::AsciiStrToLower(Notice::Trigger_Name(unusual.trigger));
  spdlog::error(
      "unusual activity: {}{}{}: {}, admitted {}; {}", trigger,
      subject.port.empty() ? "" : " on port " + subject.port,
      subject.session_ids.empty() ? "" : " by session " + absl::StrJoin(subject.session_ids, ", "),
      absl::StrFormat("%.0f bit/s, %.0f packets/s", unusual.observed_bps, unusual.observed_pps),
      absl::StrFormat("%.0f bit/s", unusual.admitted_bps), subject.action);
  metrics_->CountUnusualActivity(trigger);
  std::string json = ToJson(notice);
  store_->Audit({.event = kAuditEvent, .detail = json});
  webhook_.Post(std::move(json));
}

absl::StatusOr<std::vector<Notice>> Notices::List(uint32_t limit) const {
  auto rows = store_->ListAudit({.limit = limit, .event = kAuditEvent});
  if (!rows.ok()) return rows.status();
  std::vector<Notice> notices;
  for (const AuditRow& row : *rows) {
    google::protobuf::util::JsonParseOptions options;
    options.ignore_unknown_fields = true;  // Of a later version.
    if (Notice notice;
        google::protobuf::util::JsonStringToMessage(row.detail, &notice, options).ok()) {
      notices.push_back(std::move(notice));
    }
  }
  return notices;
}

}  // namespace weir::control
