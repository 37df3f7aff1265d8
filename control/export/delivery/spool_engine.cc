#include "control/export/delivery/spool_engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "control/config/text_proto.h"
#include "control/export/delivery/durable_file.h"
#include "control/export/delivery/mlab_layout.h"
#include "control/export/delivery/mlab_row.h"
#include "control/failpoint.h"

namespace weir::control {
namespace {

constexpr mode_t kFileMode = 0644;  // The uploader is another user.
constexpr size_t kMaxLedgerBytes = size_t{4} << 20;

// A new file with these bytes, durable but for its directory's entry.
absl::Status WriteNew(const std::string& path, const std::string& bytes) {
  unlink(path.c_str());  // Of an earlier run, which was killed before it was noted.
  const int fd =
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode);
  if (fd < 0) return FileError("create", path);
  absl::Status status =
      fchmod(fd, kFileMode) == 0 ? WriteAll(fd, bytes, path) : FileError("chmod", path);
  if (status.ok() && fsync(fd) != 0) status = FileError("sync", path);
  close(fd);
  if (!status.ok()) unlink(path.c_str());
  return status;
}

}  // namespace

SpoolEngine::SpoolEngine(config::v1::Spool config, std::string ledger)
    : config_(std::move(config)), ledger_path_(std::move(ledger)) {}

SpoolEngine::~SpoolEngine() {
  if (ledger_ >= 0) close(ledger_);
}

std::string SpoolEngine::TemporaryOf(const std::string& path) const {
  return absl::StrCat(config_.directory(), "/", config_.experiment(), "/", config_.datatype(), "/",
                      std::filesystem::path(path).filename().string(), ".tmp");
}

absl::Status SpoolEngine::WriteSchema() {
  const std::string directory = config_.directory() + "/datatypes";
  const std::string path = absl::StrCat(directory, "/", config_.datatype(), ".json");
  if (absl::Status status = MakeDirectories(directory); !status.ok()) return status;
  if (std::filesystem::exists(path)) {
    const absl::StatusOr<std::string> text = ReadTextFile(path);
    if (!text.ok()) return text.status();
    const absl::StatusOr<RowSchema> older = RowSchema::Parse(*text);
    if (!older.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": ", older.status().message(), "; is it another program's?"));
    }
    if (absl::Status status = older->AllowsChangeTo(schema_); !status.ok()) {
      return absl::FailedPreconditionError(absl::StrCat(path, ": ", status.message()));
    }
    if (schema_.AllowsChangeTo(*older).ok()) return absl::OkStatus();  // The same columns.
  }
  if (absl::Status status = WriteNew(path + ".tmp", schema_.ToJson()); !status.ok()) return status;
  if (rename((path + ".tmp").c_str(), path.c_str()) != 0) return FileError("rename", path);
  return SyncDirectory(directory);
}

absl::Status SpoolEngine::ReadLedger() {
  if (ledger_ >= 0) close(ledger_);
  ledger_ = open(ledger_path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (ledger_ < 0) return FileError("open", ledger_path_);
  const absl::StatusOr<std::string> text = ReadTextFile(ledger_path_, kMaxLedgerBytes);
  if (!text.ok()) return text.status();
  noted_.clear();
  std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  lines.pop_back();  // Empty, or cut short: its files were not renamed.
  for (const std::string& line : lines) {
    const std::vector<std::string> parts = absl::StrSplit(line, ' ');
    Entry entry;
    if (parts.size() != 4 || !absl::SimpleAtoi(parts[2], &entry.version)) {
      return absl::FailedPreconditionError(absl::StrCat(
          ledger_path_, ": damaged; if nothing of this destination is in delivery, remove it"));
    }
    entry.path = parts[3];
    if (access(TemporaryOf(entry.path).c_str(), F_OK) == 0) {
      if (absl::Status status = Publish(entry.path); !status.ok()) return status;
    }
    noted_[{parts[0], parts[1] == "erasure"}] = entry;
  }
  const size_t whole = text->rfind('\n') == std::string::npos ? 0 : text->rfind('\n') + 1;
  return ftruncate(ledger_, static_cast<off_t>(whole)) == 0 ? absl::OkStatus()
                                                            : FileError("truncate", ledger_path_);
}

absl::Status SpoolEngine::Open() {
  const std::string base =
      absl::StrCat(config_.directory(), "/", config_.experiment(), "/", config_.datatype());
  if (absl::Status status = MakeDirectories(base); !status.ok()) return status;
  if (absl::Status status = WriteSchema(); !status.ok()) return status;
  const std::string state = std::filesystem::path(ledger_path_).parent_path().string();
  if (absl::Status status = MakeDirectories(state); !status.ok()) return status;
  return ReadLedger();
}

absl::Status SpoolEngine::Stage(const std::string& path, const std::string& row) const {
  const std::string final_path = absl::StrCat(config_.directory(), "/", path);
  absl::Status status = MakeDirectories(std::filesystem::path(final_path).parent_path().string());
  return status.ok() ? WriteNew(TemporaryOf(path), row) : status;
}

absl::Status SpoolEngine::Publish(const std::string& path) const {
  const std::string final_path = absl::StrCat(config_.directory(), "/", path);
  const std::string temporary = TemporaryOf(path);
  // Never over a file that is there: the same record, which an earlier state directory knew of.
  if (renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, final_path.c_str(), RENAME_NOREPLACE) == 0) {
    return absl::OkStatus();
  }
  if (errno != EEXIST) return FileError("rename to", final_path);
  unlink(temporary.c_str());
  return absl::OkStatus();
}

absl::Status SpoolEngine::NoteAll(const std::map<Key, Entry>& entries) {
  std::string lines;
  for (const auto& [key, entry] : entries) {
    absl::StrAppend(&lines, key.first, " ", key.second ? "erasure" : "record", " ", entry.version,
                    " ", entry.path, "\n");
  }
  if (absl::Status status = WriteAll(ledger_, lines, ledger_path_); !status.ok()) return status;
  return fdatasync(ledger_) == 0 ? absl::OkStatus() : FileError("sync", ledger_path_);
}

absl::StatusOr<std::vector<Outcome>> SpoolEngine::Deliver(const delivery::v1::PullReply& batch) {
  std::vector<Outcome> outcomes;
  std::map<Key, Entry> staged;
  std::set<std::string> directories;
  for (const delivery::v1::Item& item : batch.items()) {
    const Key key{item.record_id(), item.has_tombstone()};
    Outcome& outcome = outcomes.emplace_back();
    if (const auto noted = noted_.find(key); noted != noted_.end()) {
      outcome.version = noted->second.version;
      continue;
    }
    const std::string path = MlabPath(NameOf(item, config_.experiment(), config_.datatype()));
    const absl::StatusOr<std::string> row = EncodeRow(item, batch.audit_head());
    absl::Status valid = row.ok() ? ValidateMlabPath(path) : row.status();
    if (valid.ok()) valid = schema_.Validate(*row);
    if (!valid.ok()) {
      outcome.refused = true;
      outcome.reason = std::string(valid.message());
      continue;
    }
    if (absl::Status status = Stage(path, *row); !status.ok()) return status;
    outcome.version = item.version();
    staged[key] = {.version = item.version(), .path = path};
  }
  Failpoint("spool.staged");
  if (!staged.empty()) {
    if (absl::Status status = NoteAll(staged); !status.ok()) return status;
    noted_.insert(staged.begin(), staged.end());
  }
  Failpoint("spool.noted");
  for (const auto& [key, entry] : staged) {
    if (absl::Status status = Publish(entry.path); !status.ok()) return status;
    Failpoint("spool.renamed");
    const std::string final_path = absl::StrCat(config_.directory(), "/", entry.path);
    directories.insert(std::filesystem::path(final_path).parent_path().string());
  }
  for (const std::string& directory : directories) {
    if (absl::Status status = SyncDirectory(directory); !status.ok()) return status;
  }
  return outcomes;
}

void SpoolEngine::Settled() {
  // If this fails the entries are merely kept longer.
  if (ftruncate(ledger_, 0) == 0) noted_.clear();
}

}  // namespace weir::control
