// From the flags of `weir generate` and `weir sink` to the requests weir-control gets.
#ifndef WEIR_CONTROL_CLI_BENCH_REQUEST_H_
#define WEIR_CONTROL_CLI_BENCH_REQUEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "measurement/v1/admin.pb.h"

namespace weir::cli {

enum class BenchEnd { kGenerate, kSink };

// As typed; empty or 0: the default of that end.
struct BenchOptions {
  std::string port;
  std::string peer;  // --to IP[:PORT], --from IP.
  std::string mac;
  std::string key = "bench";
  std::string frame;    // "64,128" or "rfc2544".
  std::string payload;  // Bytes or imix.
  std::string rate;     // 5G, 1Mpps, 50%, max.
  std::string duration;
  std::string pacing = "cbr";
  std::string count;
  uint32_t streams = 1;
  int ip = 4;  // Where no peer tells it.
  uint32_t dscp = 0;
  uint32_t udp_port = 0;
  uint32_t trials = 1;  // Sink: without --frame.
  std::string pause = "2s";
  std::string experiment;
  std::string purpose;
  bool clocks_synchronised = false;
};

struct BenchTrial {
  uint32_t frame_bytes = 0;  // Ethernet with FCS; 0: a mix, or the sink was not told.
  measurement::v1::BenchRequest request;
};

// One for each frame size, or the one payload. InvalidArgument names the flag, what is wrong and
// what is allowed.
absl::StatusOr<std::vector<BenchTrial>> MakeBenchTrials(const BenchOptions& options, BenchEnd end);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_BENCH_REQUEST_H_
