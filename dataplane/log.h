// The dataplane's log: rte_log under its own type. Never on the packet path.
#ifndef WEIR_DATAPLANE_LOG_H_
#define WEIR_DATAPLANE_LOG_H_

#include <rte_log.h>

namespace weir::dataplane {

// "weir"; registered on first use.
int LogType();

}  // namespace weir::dataplane

// WEIR_LOG(INFO, "format", ...): a newline is added.
#define WEIR_LOG(level, format, ...)                     \
  rte_log(RTE_LOG_##level, ::weir::dataplane::LogType(), \
          "weir: " format "\n" __VA_OPT__(, ) __VA_ARGS__)

#endif  // WEIR_DATAPLANE_LOG_H_
