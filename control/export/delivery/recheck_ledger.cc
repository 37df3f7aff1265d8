#include "control/export/delivery/recheck_ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "control/config/text_proto.h"
#include "control/export/delivery/durable_file.h"

namespace weir::control {
namespace {

constexpr size_t kMaxBytes = size_t{256} << 20;
constexpr size_t kSlackLines = 10'000;  // That are done with, and not worth a new file.

std::string Line(char sign, const Copy& copy) {
  return absl::StrCat(std::string(1, sign), " ", copy.record_id, " ",
                      copy.tombstone ? "erasure" : "record", "\n");
}

}  // namespace

RecheckLedger::~RecheckLedger() {
  if (file_ >= 0) close(file_);
}

absl::Status RecheckLedger::Open() {
  if (file_ >= 0) return absl::OkStatus();
  absl::Status status = MakeDirectories(std::filesystem::path(path_).parent_path().string());
  if (status.ok() && access(path_.c_str(), F_OK) == 0) status = Read();
  return status.ok() ? Rewrite() : status;
}

absl::Status RecheckLedger::Read() {
  const absl::StatusOr<std::string> text = ReadTextFile(path_, kMaxBytes);
  if (!text.ok()) return text.status();
  std::set<Copy> waiting;
  std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  lines.pop_back();  // Empty, or cut short: it was not acknowledged.
  for (const std::string& line : lines) {
    const std::vector<std::string> parts = absl::StrSplit(line, ' ');
    if (parts.size() != 3 || (parts[0] != "+" && parts[0] != "-")) {
      return absl::FailedPreconditionError(absl::StrCat(
          path_, ": damaged; remove it if the destination has what it acknowledged last"));
    }
    Copy copy{.record_id = parts[1], .tombstone = parts[2] == "erasure"};
    if (parts[0] == "+") {
      waiting.insert(std::move(copy));
    } else {
      waiting.erase(copy);
    }
  }
  const auto due = Clock::now() + wait_;
  due_.clear();
  order_.clear();
  for (const Copy& copy : waiting) {
    due_[copy] = due;
    order_.emplace_back(due, copy);
  }
  return absl::OkStatus();
}

absl::Status RecheckLedger::Rewrite() {
  std::string text;
  for (const auto& [copy, due] : due_) text += Line('+', copy);
  const std::string temporary = path_ + ".tmp";
  const int file = open(temporary.c_str(),
                        O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return FileError("create", temporary);
  absl::Status status = WriteAll(file, text, temporary);
  if (status.ok() && fsync(file) != 0) status = FileError("sync", temporary);
  if (status.ok() && rename(temporary.c_str(), path_.c_str()) != 0) {
    status = FileError("rename", temporary);
  }
  if (!status.ok()) {
    close(file);
    return status;
  }
  if (file_ >= 0) close(file_);
  file_ = file;
  lines_ = due_.size();
  return SyncDirectory(std::filesystem::path(path_).parent_path().string());
}

absl::Status RecheckLedger::Append(char sign, const std::vector<Copy>& copies) {
  std::string text;
  for (const Copy& copy : copies) text += Line(sign, copy);
  const off_t end = lseek(file_, 0, SEEK_END);
  absl::Status status = WriteAll(file_, text, path_);
  if (!status.ok()) {
    if (ftruncate(file_, end) != 0) return FileError("truncate", path_);
    return status;
  }
  lines_ += copies.size();
  return absl::OkStatus();
}

absl::Status RecheckLedger::Add(const std::vector<Copy>& copies) {
  if (copies.empty()) return absl::OkStatus();
  if (absl::Status status = Append('+', copies); !status.ok()) return status;
  if (fdatasync(file_) != 0) return FileError("sync", path_);
  const auto due = Clock::now() + wait_;
  for (const Copy& copy : copies) {
    due_[copy] = due;
    order_.emplace_back(due, copy);
  }
  return absl::OkStatus();
}

absl::Status RecheckLedger::Remove(const std::vector<Copy>& copies) {
  std::vector<Copy> removed;
  for (const Copy& copy : copies) {
    if (due_.erase(copy) != 0) removed.push_back(copy);
  }
  const auto done_with = [this] {
    const auto found = due_.find(order_.front().second);
    return found == due_.end() || found->second != order_.front().first;
  };
  while (!order_.empty() && done_with()) order_.pop_front();
  if (removed.empty()) return absl::OkStatus();
  if (absl::Status status = Append('-', removed); !status.ok()) return status;
  return lines_ > 2 * due_.size() + kSlackLines ? Rewrite() : absl::OkStatus();
}

std::vector<Copy> RecheckLedger::Due(Clock::time_point now, size_t limit) const {
  std::vector<Copy> due;
  for (const auto& [at, copy] : order_) {
    if (at > now || due.size() == limit) break;
    const auto found = due_.find(copy);
    if (found != due_.end() && found->second == at) due.push_back(copy);
  }
  return due;
}

}  // namespace weir::control
