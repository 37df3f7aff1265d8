#include "dataplane/eal/hugepages.h"

#include <filesystem>
#include <fstream>
#include <system_error>

namespace weir::dataplane {

uint64_t FreeHugepageMb(const std::string& root) {
  constexpr std::string_view kPrefix = "hugepages-";
  uint64_t free_kb = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root, error)) {
    const std::string name = entry.path().filename();
    if (name.rfind(kPrefix, 0) != 0) continue;
    const uint64_t page_kb = std::strtoull(name.c_str() + kPrefix.size(), nullptr, 10);
    uint64_t pages = 0;
    std::ifstream(entry.path() / "free_hugepages") >> pages;
    free_kb += pages * page_kb;
  }
  return free_kb / 1024;
}

Status CheckHugepages(uint64_t free_mb, uint64_t need_mb) {
  if (free_mb >= need_mb) return Ok{};
  const std::string pages = std::to_string((need_mb + 1) / 2);
  return Error{v1::FAILED_PRECONDITION, "--memory",
               "needs " + std::to_string(need_mb) + " MiB of hugepages, " +
                   std::to_string(free_mb) + " MiB are free; reserve them with \"echo " + pages +
                   " > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages\" (add what others "
                   "use), or do without by --no-huge"};
}

}  // namespace weir::dataplane
