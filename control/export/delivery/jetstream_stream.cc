#include "control/export/delivery/jetstream_stream.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <chrono>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "control/export/delivery/stream_settings.h"

namespace weir::control {
namespace {

using google::protobuf::Struct;

// An answer, or the servers are in trouble: a new leader is elected in 4 to 9 s.
constexpr std::chrono::seconds kPatience{5};

const google::protobuf::Value& Field(const Struct& object, const char* name) {
  const auto found = object.fields().find(name);
  return found == object.fields().end() ? google::protobuf::Value::default_instance()
                                        : found->second;
}

struct Answer {
  Struct fields = {};
  int error = 0;  // 0: none.
  std::string description = {};
};

absl::StatusOr<Answer> ParseAnswer(const std::string& json) {
  Answer answer;
  if (!google::protobuf::util::JsonStringToMessage(json, &answer.fields).ok()) {
    return absl::UnavailableError("the NATS servers answer with what is not JSON");
  }
  const Struct& error = Field(answer.fields, "error").struct_value();
  answer.error = static_cast<int>(Field(error, "err_code").number_value());
  if (answer.error == 0) answer.error = static_cast<int>(Field(error, "code").number_value());
  answer.description = Field(error, "description").string_value();
  return answer;
}

absl::Status Refused(const std::string& what, const Answer& answer) {
  return absl::UnavailableError(
      absl::StrCat("the NATS servers refuse to ", what, ": ", answer.description));
}

// "NATS/1.0\r\nName: value\r\n...\r\n\r\n".
std::map<std::string, std::string> ParseHeaders(const std::string& text) {
  std::map<std::string, std::string> headers;
  for (const auto line : absl::StrSplit(text, "\r\n")) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(": ", 1));
    if (!parts.second.empty()) headers.insert(parts);
  }
  return headers;
}

StreamMessage ParseMessage(const Struct& message) {
  StreamMessage parsed;
  parsed.sequence = static_cast<uint64_t>(Field(message, "seq").number_value());
  std::string headers;
  absl::Base64Unescape(Field(message, "hdrs").string_value(), &headers);
  absl::Base64Unescape(Field(message, "data").string_value(), &parsed.body);
  parsed.headers = ParseHeaders(headers);
  return parsed;
}

}  // namespace

absl::StatusOr<std::unique_ptr<JetStreamStream>> JetStreamStream::Open(
    const config::v1::JetStream& config) {
  auto link = NatsLink::Connect(config);
  if (!link.ok()) return link.status();
  if (absl::Status status = CreateOrCheckStream((*link)->jetstream(), config); !status.ok()) {
    return status;
  }
  return std::unique_ptr<JetStreamStream>(new JetStreamStream(*std::move(link), config.stream()));
}

absl::StatusOr<std::vector<std::string>> JetStreamStream::Publish(
    std::vector<NatsRequest> messages) {
  for (NatsRequest& message : messages) message.headers.emplace_back("Nats-Expected-Stream", name_);
  const auto answers = link_->Ask(messages, kPatience);
  if (!answers.ok()) return answers.status();
  std::vector<std::string> refusals;
  for (const std::string& json : *answers) {
    const auto answer = ParseAnswer(json);
    if (!answer.ok()) return answer.status();
    if (answer->error != 0 && answer->error != JSStreamStoreFailedErr) {
      return Refused("store a record", *answer);
    }
    refusals.push_back(answer->description);
  }
  return refusals;
}

absl::StatusOr<std::vector<std::optional<StreamMessage>>> JetStreamStream::Read(
    const std::vector<std::string>& subjects) {
  std::vector<NatsRequest> requests;
  for (const std::string& subject : subjects) {
    requests.push_back({.subject = absl::StrCat("$JS.API.STREAM.MSG.GET.", name_),
                        .body = absl::StrCat(R"({"last_by_subj":")", subject, R"("})")});
  }
  const auto answers = link_->Ask(requests, kPatience);
  if (!answers.ok()) return answers.status();
  std::vector<std::optional<StreamMessage>> messages;
  for (const std::string& json : *answers) {
    const auto answer = ParseAnswer(json);
    if (!answer.ok()) return answer.status();
    if (answer->error != 0 && answer->error != JSNoMessageFoundErr) {
      return Refused("show a message", *answer);
    }
    std::optional<StreamMessage>& message = messages.emplace_back();
    if (answer->error == 0) {
      message = ParseMessage(Field(answer->fields, "message").struct_value());
    }
  }
  return messages;
}

absl::Status JetStreamStream::Erase(uint64_t sequence) {
  jsErrCode code{};
  const natsStatus status =
      js_EraseMsg(link_->jetstream(), name_.c_str(), sequence, nullptr, &code);
  if (status == NATS_OK || status == NATS_NOT_FOUND) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("the NATS servers do not erase a message: ", NatsError(status)));
}

}  // namespace weir::control
