#include "control/export/delivery/stream_settings.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/export/delivery/nats_link.h"

namespace weir::control {
namespace {

constexpr int64_t kDayNs = int64_t{86'400} * 1'000'000'000;

struct InfoDeleter {
  void operator()(jsStreamInfo* info) const { jsStreamInfo_Destroy(info); }
};
using Info = std::unique_ptr<jsStreamInfo, InfoDeleter>;

std::vector<std::string> Subjects(const config::v1::JetStream& config) {
  return {RecordSubject(config, "*"), ErasureSubject(config, "*")};
}

// 0 in the configuration: no limit.
int64_t MaxBytes(const config::v1::JetStream& config) {
  return config.max_bytes() == 0 ? -1 : static_cast<int64_t>(config.max_bytes());
}

int64_t MaxAgeNs(const config::v1::JetStream& config) { return config.max_age_days() * kDayNs; }

absl::Status Create(jsCtx* jetstream, const config::v1::JetStream& config) {
  const std::vector<std::string> subjects = Subjects(config);
  std::vector<const char*> names;
  for (const std::string& subject : subjects) names.push_back(subject.c_str());
  jsStreamConfig wanted;
  jsStreamConfig_Init(&wanted);
  wanted.Name = config.stream().c_str();
  wanted.Description = "Measurement records of Weir, one message a subject";
  wanted.Subjects = names.data();
  wanted.SubjectsLen = static_cast<int>(names.size());
  wanted.Retention = js_LimitsPolicy;
  wanted.Storage = js_FileStorage;
  wanted.Replicas = config.replicas();
  wanted.MaxMsgsPerSubject = 1;
  wanted.Discard = js_DiscardNew;
  wanted.DiscardNewPerSubject = true;
  wanted.MaxBytes = MaxBytes(config);
  wanted.MaxAge = MaxAgeNs(config);
  wanted.AllowDirect = true;
  jsErrCode code{};
  const natsStatus status = js_AddStream(nullptr, jetstream, &wanted, nullptr, &code);
  if (status == NATS_OK) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot create stream \"", config.stream(), "\" with ",
                                             config.replicas(), " replicas: ", NatsError(status)));
}

std::string Words(bool on) { return on ? "true" : "false"; }
std::string Words(int64_t number) { return absl::StrCat(number); }
std::string Limit(int64_t number) { return number <= 0 ? "none" : absl::StrCat(number); }

absl::Status Check(const jsStreamConfig& is, const config::v1::JetStream& config) {
  std::vector<std::string> wrong;
  const auto expect = [&wrong](const char* setting, const std::string& has,
                               const std::string& must) {
    if (has != must) wrong.push_back(absl::StrCat(setting, " is ", has, ", must be ", must));
  };
  std::vector<std::string> subjects(is.Subjects, is.Subjects + is.SubjectsLen);
  std::sort(subjects.begin(), subjects.end());
  expect("subjects", absl::StrJoin(subjects, ","), absl::StrJoin(Subjects(config), ","));
  expect("retention", is.Retention == js_LimitsPolicy ? "limits" : "another", "limits");
  expect("storage", is.Storage == js_FileStorage ? "file" : "memory", "file");
  expect("num_replicas", Words(is.Replicas), Words(int64_t{config.replicas()}));
  expect("max_msgs_per_subject", Words(is.MaxMsgsPerSubject), "1");
  expect("discard", is.Discard == js_DiscardNew ? "new" : "old", "new");
  expect("discard_new_per_subject", Words(is.DiscardNewPerSubject), "true");
  expect("max_msgs", Limit(is.MaxMsgs), "none");
  expect("max_bytes", Limit(is.MaxBytes), Limit(MaxBytes(config)));
  expect("max_age (ns)", Limit(is.MaxAge), Limit(MaxAgeNs(config)));
  expect("no_ack", Words(is.NoAck), "false");
  expect("sealed", Words(is.Sealed), "false");
  expect("deny_delete", Words(is.DenyDelete), "false");
  expect("allow_rollup_hdrs", Words(is.AllowRollup), "false");
  expect("sources and mirror", is.SourcesLen == 0 && is.Mirror == nullptr ? "none" : "some",
         "none");
  if (wrong.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "stream \"", config.stream(),
      "\" is not as this destination needs it and was left alone: ", absl::StrJoin(wrong, "; "),
      ". Edit it (nats stream edit), or name another stream in jetstream.stream"));
}

}  // namespace

bool IsToken(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

std::string RecordSubject(const config::v1::JetStream& config, const std::string& record_id) {
  return absl::StrCat(config.subject(), ".", record_id);
}

std::string ErasureSubject(const config::v1::JetStream& config, const std::string& record_id) {
  return absl::StrCat(config.subject(), ".", record_id, ".erasure");
}

absl::Status CreateOrCheckStream(jsCtx* jetstream, const config::v1::JetStream& config) {
  jsStreamInfo* raw = nullptr;
  jsErrCode code{};
  const natsStatus status =
      js_GetStreamInfo(&raw, jetstream, config.stream().c_str(), nullptr, &code);
  const Info info(raw);
  if (status == NATS_OK) return Check(*info->Config, config);
  if (status == NATS_NOT_FOUND || code == JSStreamNotFoundErr) return Create(jetstream, config);
  if (status == NATS_NO_RESPONDERS || code == JSNotEnabledErr ||
      code == JSNotEnabledForAccountErr) {
    return absl::FailedPreconditionError(
        "the NATS servers have no JetStream for this user: enable it in their configuration "
        "(jetstream { store_dir: ... })");
  }
  return absl::UnavailableError(absl::StrCat(
      "the NATS servers say nothing of stream \"", config.stream(), "\": ", NatsError(status),
      "; has it a leader, and may this user use $JS.API.STREAM.*?"));
}

}  // namespace weir::control
