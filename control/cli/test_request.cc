#include "control/cli/test_request.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "control/cli/units.h"

namespace weir::cli {
namespace {

absl::Status Bad(const char* flag, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", what));
}

absl::Status Bad(const char* flag, const absl::Status& status) {
  return Bad(flag, std::string(status.message()));
}

}  // namespace

absl::StatusOr<measurement::v1::RunTestRequest> MakeTestRequest(const TestOptions& options) {
  measurement::v1::RunTestRequest request;
  if (options.server.empty()) return Bad("SERVER", "required: HOST or HOST:PORT");
  request.mutable_remote()->set_address(options.server);
  request.mutable_remote()->set_plaintext(options.plaintext);
  if (!options.ca.empty()) {
    // weir-control opens it, and it may run in another directory.
    std::error_code error;
    const std::filesystem::path path = std::filesystem::absolute(options.ca, error);
    if (error || !std::filesystem::is_regular_file(path, error)) {
      return Bad("--ca", absl::StrCat("\"", options.ca,
                                      "\" is not a file; give the PEM file of the "
                                      "server's CA"));
    }
    if (options.plaintext) return Bad("--ca", "means nothing with --plaintext; give one of them");
    request.mutable_remote()->set_ca_file(path.string());
  }

  if (options.direction != "down" && options.direction != "up" && options.direction != "both") {
    return Bad("--direction", absl::StrCat("\"", options.direction, "\"; allowed: down, up, both"));
  }
  if (options.direction != "up") request.add_directions(record::v1::DOWN);
  if (options.direction != "down") request.add_directions(record::v1::UP);

  if (options.ip != 4 && options.ip != 6) {
    return Bad("--ip", absl::StrCat(options.ip, "; allowed: 4, 6"));
  }
  record::v1::TestParameters* parameters = request.mutable_parameters();
  parameters->set_ip_version(static_cast<uint32_t>(options.ip));

  if (!options.rate.empty() && IsRamp(options.pacing)) {
    return Bad("--rate", "a ramp has its rates in --pacing ramp:FROM-TO; leave one of them out");
  }
  const auto rate = ParseRate(options.rate.empty() ? "100M" : options.rate);
  if (!rate.ok()) return Bad("--rate", rate.status());
  parameters->set_rate_bps(rate->bps);
  parameters->set_rate_max(rate->max);

  const auto duration = ParseDurationNs(options.duration);
  if (!duration.ok()) return Bad("--duration", duration.status());
  parameters->set_duration_ns(*duration);

  const auto payload = ParsePayload(
      options.payload.empty() ? std::to_string(DefaultPayload(options.ip)) : options.payload,
      options.ip);
  if (!payload.ok()) return Bad("--payload", payload.status());
  *parameters->mutable_payload() = {payload->begin(), payload->end()};

  if (auto status = ParsePacing(options.pacing, parameters); !status.ok()) {
    return Bad("--pacing", status);
  }
  if (parameters->pacing() != record::v1::CBR && rate->max) {
    return Bad("--pacing", "needs a rate to keep; give --rate, or leave the pacing at cbr");
  }

  if (options.streams == 0) return Bad("--streams", "must be at least 1");
  parameters->set_streams(options.streams);
  if (options.dscp > 63) return Bad("--dscp", absl::StrCat(options.dscp, "; allowed: 0 to 63"));
  parameters->set_dscp(options.dscp);

  request.set_experiment(options.experiment);
  request.set_purpose(options.purpose);
  for (const std::string& entry : options.metadata) {
    const size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("--metadata: \"", entry, "\" is not KEY=VALUE"));
    }
    record::v1::Metadata* metadata = request.add_metadata();
    metadata->set_key(entry.substr(0, equals));
    metadata->set_value(entry.substr(equals + 1));
  }
  request.set_access_token(options.access_token);
  return request;
}

}  // namespace weir::cli
