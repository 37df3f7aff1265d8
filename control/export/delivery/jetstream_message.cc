#include "control/export/delivery/jetstream_message.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "control/export/delivery/print_json.h"
#include "control/export/delivery/stream_settings.h"

namespace weir::control {
namespace {

constexpr char kVersion[] = "Weir-Version";

NatsRequest ToMessage(const record::v1::Record& record, const char* kind, int64_t version,
                      const delivery::v1::AuditHead& head, std::string body) {
  NatsRequest message;
  message.body = std::move(body);
  message.headers = {{"Weir-Kind", kind},
                     {"Weir-Record", record.record_id()},
                     {kVersion, absl::StrCat(version)},
                     {"Weir-Direction", record.direction() == record::v1::DOWN ? "down" : "up"},
                     {"Weir-Audit-Head", absl::StrCat(head.id(), ":", head.hash())}};
  // A label of the policy, so that it cannot break a header.
  if (IsToken(record.experiment())) {
    message.headers.emplace_back("Weir-Experiment", record.experiment());
  }
  return message;
}

absl::StatusOr<record::v1::Record> ParseRecord(const StreamMessage& message) {
  record::v1::Record record;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // Of a newer version.
  if (!google::protobuf::util::JsonStringToMessage(message.body, &record, options).ok()) {
    return absl::InvalidArgumentError("the stream holds something else under the record's subject");
  }
  return record;
}

record::v1::Record WhatTombstoneTells(const delivery::v1::Item& item) {
  const delivery::v1::Tombstone& tombstone = item.tombstone();
  record::v1::Record record;
  record.set_record_id(item.record_id());
  record.set_session_id(tombstone.session_id());
  record.set_direction(tombstone.direction());
  record.set_experiment(tombstone.experiment());
  *record.mutable_negotiated_at() = google::protobuf::util::TimeUtil::NanosecondsToTimestamp(
      static_cast<int64_t>(tombstone.negotiated_unix_ns()));
  return record;
}

}  // namespace

absl::StatusOr<std::string> MessageBody(const record::v1::Record& record) {
  if (!IsToken(record.record_id())) {
    return absl::InvalidArgumentError("record_id: not a token of a subject");
  }
  absl::StatusOr<std::string> body = PrintJson(record);
  if (body.ok()) return body;
  return absl::InvalidArgumentError(absl::StrCat("record: ", std::string(body.status().message())));
}

NatsRequest RecordMessage(const config::v1::JetStream& config, const delivery::v1::Item& item,
                          const delivery::v1::AuditHead& head, std::string body) {
  NatsRequest message = ToMessage(item.record(), "record", item.version(), head, std::move(body));
  message.subject = RecordSubject(config, item.record_id());
  return message;
}

absl::StatusOr<NatsRequest> ErasureMessage(const config::v1::JetStream& config,
                                           const delivery::v1::Item& item,
                                           const delivery::v1::AuditHead& head,
                                           const std::optional<StreamMessage>& held) {
  record::v1::Record record = WhatTombstoneTells(item);
  if (held.has_value()) {
    auto parsed = ParseRecord(*held);
    if (!parsed.ok()) return parsed.status();
    record = *std::move(parsed);
  }
  record.mutable_client()->set_mode(record::v1::ADDRESS_NONE);
  record.mutable_client()->clear_value();
  absl::StatusOr<std::string> body = MessageBody(record);
  if (!body.ok()) return body.status();
  NatsRequest message =
      ToMessage(record, "erasure", held.has_value() ? VersionOf(*held) : 0, head, *std::move(body));
  message.subject = ErasureSubject(config, item.record_id());
  return message;
}

int64_t VersionOf(const StreamMessage& message) {
  const auto found = message.headers.find(kVersion);
  int64_t version = 0;
  return found != message.headers.end() && absl::SimpleAtoi(found->second, &version) ? version : 0;
}

bool HasAddress(const StreamMessage& message) {
  const auto record = ParseRecord(message);
  return !record.ok() || !record->client().value().empty();
}

}  // namespace weir::control
