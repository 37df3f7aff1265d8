// What the kernel has reserved of hugepages.
#ifndef WEIR_DATAPLANE_EAL_HUGEPAGES_H_
#define WEIR_DATAPLANE_EAL_HUGEPAGES_H_

#include <cstdint>
#include <string>

#include "dataplane/result.h"

namespace weir::dataplane {

// MiB in free hugepages of all sizes, under `root`.
uint64_t FreeHugepageMb(const std::string& root = "/sys/kernel/mm/hugepages");

// Error FAILED_PRECONDITION: less than `need_mb` is free; says how to reserve them.
Status CheckHugepages(uint64_t free_mb, uint64_t need_mb);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_EAL_HUGEPAGES_H_
