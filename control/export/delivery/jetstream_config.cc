#include "control/export/delivery/jetstream_config.h"

#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "control/export/delivery/stream_settings.h"

namespace weir::control {
namespace {

constexpr uint32_t kReplicas = 3;
constexpr uint32_t kRecheckAfterS = 600;
constexpr uint32_t kMostRecheckAfterS = 86'400;  // The least of max_age_days.
constexpr uint32_t kMostAgeDays = 36'500;

absl::Status Invalid(const std::string& what) { return absl::InvalidArgumentError(what); }

absl::Status CheckServers(const config::v1::JetStream& jetstream) {
  if (jetstream.server().empty()) {
    return Invalid("server: required: nats://HOST:PORT or tls://HOST:PORT of each server");
  }
  const bool tls = absl::StartsWith(jetstream.server(0), "tls://");
  for (const std::string& server : jetstream.server()) {
    if (!absl::StartsWith(server, "nats://") && !absl::StartsWith(server, "tls://")) {
      return Invalid("server: nats://HOST:PORT or tls://HOST:PORT");
    }
    if (absl::StrContains(server, '@')) {
      return Invalid(
          "server: no user or password in it: user and password_file, or credentials_file");
    }
    if (absl::StartsWith(server, "tls://") != tls) {
      return Invalid("server: tls:// for all of them or for none");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckFiles(const config::v1::JetStream& jetstream) {
  for (const auto& [field, path] : {std::pair("credentials_file", &jetstream.credentials_file()),
                                    std::pair("password_file", &jetstream.password_file()),
                                    std::pair("ca_file", &jetstream.ca_file()),
                                    std::pair("certificate_file", &jetstream.certificate_file()),
                                    std::pair("key_file", &jetstream.key_file())}) {
    if (!path->empty() && (*path)[0] != '/') {
      return Invalid(absl::StrCat(field, ": an absolute path"));
    }
  }
  if (jetstream.user().empty() != jetstream.password_file().empty()) {
    return Invalid("user and password_file: both or none");
  }
  if (!jetstream.user().empty() && !jetstream.credentials_file().empty()) {
    return Invalid("credentials_file: not with user and password_file");
  }
  if (jetstream.certificate_file().empty() != jetstream.key_file().empty()) {
    return Invalid("certificate_file and key_file: both or none");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CompleteJetStream(config::v1::JetStream* jetstream) {
  if (absl::Status status = CheckServers(*jetstream); !status.ok()) return status;
  if (absl::Status status = CheckFiles(*jetstream); !status.ok()) return status;
  if (jetstream->stream().empty()) jetstream->set_stream("WEIR");
  if (!IsToken(jetstream->stream())) {
    return Invalid("stream: 1 to 64 letters, digits, '-' and '_'");
  }
  if (jetstream->subject().empty()) jetstream->set_subject("rec");
  if (!IsToken(jetstream->subject())) {
    return Invalid("subject: 1 to 64 letters, digits, '-' and '_'");
  }
  if (jetstream->replicas() == 0) jetstream->set_replicas(kReplicas);
  if (jetstream->replicas() > 5) return Invalid("replicas: 1 to 5");
  if (jetstream->recheck_after_s() == 0) jetstream->set_recheck_after_s(kRecheckAfterS);
  if (jetstream->recheck_after_s() > kMostRecheckAfterS) {
    return Invalid("recheck_after_s: 1 to 86400");
  }
  if (jetstream->max_age_days() > kMostAgeDays) return Invalid("max_age_days: at most 36500");
  if (jetstream->max_bytes() > uint64_t{std::numeric_limits<int64_t>::max()}) {
    return Invalid("max_bytes: at most 2^63 - 1");
  }
  return absl::OkStatus();
}

}  // namespace weir::control
