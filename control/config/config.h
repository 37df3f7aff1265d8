// weir-control's configuration: proto/config/v1/config.proto, proto/README.md section 7.
#ifndef WEIR_CONTROL_CONFIG_CONFIG_H_
#define WEIR_CONTROL_CONFIG_CONFIG_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "config/v1/config.pb.h"

namespace weir::control {

inline constexpr uint16_t kDefaultApiPort = 4040;
inline constexpr uint16_t kDefaultMetricsPort = 9990;
inline constexpr char kDefaultStore[] = "/var/lib/weir/weir.db";
inline constexpr char kDefaultDataplaneSocket[] = "/run/weir/dataplane.sock";
inline constexpr char kDefaultAdminSocket[] = "/run/weir/admin.sock";
inline constexpr uint64_t kDefaultStoreMaxBytes = uint64_t{1} << 30;
inline constexpr uint32_t kDefaultMaxSessions = 64;

// Reads, checks and completes a configuration: defaults are filled in, relative paths become
// paths below the file's directory, listen addresses get their default port. An empty
// `api.listen` or `metrics.listen` stays empty: no such listener.
// InvalidArgument names the file, the field and what is allowed, with line and column where the
// text itself is wrong.
absl::StatusOr<config::v1::Config> LoadConfig(const std::string& path);

}  // namespace weir::control

#endif  // WEIR_CONTROL_CONFIG_CONFIG_H_
