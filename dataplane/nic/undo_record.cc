#include "dataplane/nic/undo_record.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace weir::dataplane::nic {

UndoRecord::UndoRecord(const std::string& directory, const std::string& name)
    : directory_(directory) {
  struct stat ns {};
  stat("/proc/self/ns/net", &ns);
  path_ = directory + "/" + name + "@" + std::to_string(ns.st_ino);
}

std::map<std::string, std::string> UndoRecord::Load() const {
  std::map<std::string, std::string> values;
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    const size_t equals = line.find('=');
    if (equals != std::string::npos)
      values.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return values;
}

Status UndoRecord::Remember(const std::string& key, const std::string& value) {
  auto values = Load();
  if (!values.emplace(key, value).second) return Ok{};
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  // Written whole or not at all.
  const std::string staged = path_ + ".new";
  std::ofstream file(staged, std::ios::trunc);
  for (const auto& [k, v] : values) file << k << '=' << v << '\n';
  file.close();
  if (!file || rename(staged.c_str(), path_.c_str()) != 0) {
    return Error{v1::INTERNAL, "", "cannot write " + path_ + ": " + std::strerror(errno)};
  }
  return Ok{};
}

void UndoRecord::Remove() { unlink(path_.c_str()); }

}  // namespace weir::dataplane::nic
