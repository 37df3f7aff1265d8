// What the two ends of a bench run agree on without speaking to each other
// (proto/README.md section 2.5).
#ifndef WEIR_CONTROL_SESSION_BENCH_PLAN_H_
#define WEIR_CONTROL_SESSION_BENCH_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "measurement/v1/admin.pb.h"

namespace weir::control {

// The sink's flow slots lie below this, so a dataplane of fewer may not have them.
inline constexpr uint32_t kBenchSlots = 1024;
inline constexpr size_t kLongestBenchKey = 128;

struct BenchStream {
  uint32_t sink_slot = 0;
  uint64_t cookie = 0;
  uint16_t sender_port = 0;  // UDP.
  uint16_t sink_port = 0;
};

struct BenchPlan {
  std::string session_key;  // 32 bytes.
  uint32_t first_slot = 0;
  std::vector<BenchStream> streams;
};

// Equal for equal key, trial, udp_port and number of streams. `streams` is at most kBenchSlots;
// `udp_port` 0, or so that all streams' ports are below 65536.
BenchPlan MakeBenchPlan(const std::string& key, uint32_t trial, uint32_t udp_port,
                        uint32_t streams);

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_BENCH_PLAN_H_
