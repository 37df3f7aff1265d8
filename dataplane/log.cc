#include "dataplane/log.h"

namespace weir::dataplane {

int LogType() {
  static const int type = [] {
    const int registered = rte_log_register("weir");
    if (registered >= 0) rte_log_set_level(static_cast<uint32_t>(registered), RTE_LOG_INFO);
    return registered >= 0 ? registered : RTE_LOGTYPE_USER1;
  }();
  return type;
}

}  // namespace weir::dataplane
