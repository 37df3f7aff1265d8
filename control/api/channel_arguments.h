// How connections between nodes are kept: a peer that vanished is noticed within 2.5 s.
#ifndef WEIR_CONTROL_API_CHANNEL_ARGUMENTS_H_
#define WEIR_CONTROL_API_CHANNEL_ARGUMENTS_H_

#include <grpc/grpc.h>

namespace weir::control {

inline constexpr int kKeepaliveMs = 1000;
inline constexpr int kKeepaliveTimeoutMs = 1500;
inline constexpr int kMaxMessageBytes = 16 << 20;  // A day of intervals of both directions.

// Calls set(name, value) for each argument both ends need.
template <typename Set>
void ForEachKeepaliveArgument(Set set) {
  set(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  set(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  set(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // The peer's pings are expected at this pace, not an abuse.
  set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kKeepaliveMs / 2);
}

}  // namespace weir::control

#endif  // WEIR_CONTROL_API_CHANNEL_ARGUMENTS_H_
