#include "dataplane/eal/cpu_list.h"

#include <sched.h>

#include <algorithm>
#include <charconv>

namespace weir::dataplane {

Result<std::vector<int>> ParseCpuList(std::string_view text) {
  const std::string whole(text);
  std::vector<int> cpus;
  const auto number = [&](int* value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
    if (error != std::errc() || *value < 0 || *value >= CPU_SETSIZE) return false;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return true;
  };
  while (true) {
    int first = 0;
    bool good = number(&first);
    int last = first;
    if (good && !text.empty() && text.front() == '-') {
      text.remove_prefix(1);
      good = number(&last) && last >= first;
    }
    if (!good || (!text.empty() && text.front() != ',')) {
      return Error{v1::INVALID_ARGUMENT, "", "\"" + whole + "\" is not a list of CPUs like 0-2,5"};
    }
    for (int cpu = first; cpu <= last; ++cpu) {
      if (std::find(cpus.begin(), cpus.end(), cpu) != cpus.end()) {
        return Error{v1::INVALID_ARGUMENT, "",
                     "\"" + whole + "\" names CPU " + std::to_string(cpu) + " twice"};
      }
      cpus.push_back(cpu);
    }
    if (text.empty()) return cpus;
    text.remove_prefix(1);
  }
}

std::string FormatCpuList(std::span<const int> cpus) {
  std::string out;
  for (const int cpu : cpus) {
    if (!out.empty()) out += ",";
    out += std::to_string(cpu);
  }
  return out;
}

std::vector<int> AllowedCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace weir::dataplane
