// From flags to the request weir-control gets.
#ifndef WEIR_CONTROL_CLI_TEST_REQUEST_H_
#define WEIR_CONTROL_CLI_TEST_REQUEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "measurement/v1/admin.pb.h"

namespace weir::cli {

// As typed; defaults are what `weir test SERVER` means.
struct TestOptions {
  std::string server;
  std::string direction = "both";
  std::string rate;  // Empty: 100M.
  std::string duration = "10s";
  std::string payload;  // Empty: what fills a 1518-byte frame.
  std::string pacing = "cbr";
  uint32_t streams = 1;
  int ip = 4;
  uint32_t dscp = 0;
  std::string port;  // A port of the running node, or a device ("af_packet:eth1,...").
  std::string ca;
  bool plaintext = false;
  std::string experiment;
  std::string purpose;
  std::vector<std::string> metadata;  // "key=value".
  std::string access_token;
  std::string contact;       // For the experiment's researchers alone.
  std::string contact_file;  // Or what is in this file.
  bool accept_notice = false;

  // A device has a driver: weir must start a dataplane of its own for it.
  bool WantsPrivatePair() const { return port.find(':') != std::string::npos; }
};

// InvalidArgument names the flag, what is wrong and what is allowed. The port is left to the
// caller, the accepted digest to whoever has read the notice.
absl::StatusOr<measurement::v1::RunTestRequest> MakeTestRequest(const TestOptions& options);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_TEST_REQUEST_H_
