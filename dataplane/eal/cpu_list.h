// Lists of CPUs as the kernel and its tools write them: "0-2,5".
#ifndef WEIR_DATAPLANE_EAL_CPU_LIST_H_
#define WEIR_DATAPLANE_EAL_CPU_LIST_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/result.h"

namespace weir::dataplane {

// Error (field empty): not such a list, or a CPU named twice.
Result<std::vector<int>> ParseCpuList(std::string_view text);
std::string FormatCpuList(std::span<const int> cpus);

// The CPUs the calling thread may run on, ascending.
std::vector<int> AllowedCpus();

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_EAL_CPU_LIST_H_
