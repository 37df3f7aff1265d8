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
constexpr mode_t kLedgerMode = 0600;
constexpr size_t kMaxLedgerBytes = size_t{64} << 20;  // A few hundred thousand entries.

// A new file with these bytes, durable but for its directory's entry.
absl::Status WriteNew(const std::string& path, const std::string& bytes, mode_t mode = kFileMode) {
  unlink(path.c_str());  // Of an earlier run, which was killed before it was noted.
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return FileError("create", path);
  absl::Status status =
      fchmod(fd, mode) == 0 ? WriteAll(fd, bytes, path) : FileError("chmod", path);
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
  ledger_ =
      open(ledger_path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, kLedgerMode);
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
    noted_[{.record_id = parts[0], .tombstone = parts[1] == "erasure"}] = entry;
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

std::string SpoolEngine::LinesOf(const std::map<Copy, Entry>& entries) {
  std::string lines;
  for (const auto& [copy, entry] : entries) {
    absl::StrAppend(&lines, copy.record_id, " ", copy.tombstone ? "erasure" : "record", " ",
                    entry.version, " ", entry.path, "\n");
  }
  return lines;
}

absl::Status SpoolEngine::NoteAll(const std::map<Copy, Entry>& entries) {
  const std::string lines = LinesOf(entries);
  if (absl::Status status = WriteAll(ledger_, lines, ledger_path_); !status.ok()) return status;
  return fdatasync(ledger_) == 0 ? absl::OkStatus() : FileError("sync", ledger_path_);
}

std::string SpoolEngine::PathOf(const delivery::v1::Item& item) const {
  return MlabPath(NameOf(item, config_.experiment(), config_.datatype()));
}

absl::StatusOr<std::string> SpoolEngine::EncodeItem(const delivery::v1::Item& item,
                                                    const delivery::v1::AuditHead& head) const {
  absl::StatusOr<std::string> row = EncodeRow(item, head);
  absl::Status valid = row.ok() ? ValidateMlabPath(PathOf(item)) : row.status();
  if (valid.ok()) valid = schema_.Validate(*row);
  return valid.ok() ? row : valid;
}

Encoded SpoolEngine::Encode(const delivery::v1::PullReply& batch) const {
  Encoded rows;
  for (const delivery::v1::Item& item : batch.items()) {
    rows.push_back(EncodeItem(item, batch.audit_head()));
  }
  return rows;
}

absl::StatusOr<std::vector<Outcome>> SpoolEngine::Deliver(const delivery::v1::PullReply& batch,
                                                          const Encoded& rows) {
  std::vector<Outcome> outcomes;
  std::map<Copy, Entry> staged;
  std::set<std::string> directories;
  for (int i = 0; i < batch.items_size(); ++i) {
    const delivery::v1::Item& item = batch.items(i);
    const absl::StatusOr<std::string>& row = rows[static_cast<size_t>(i)];
    const Copy copy{.record_id = item.record_id(), .tombstone = item.has_tombstone()};
    Outcome& outcome = outcomes.emplace_back();
    if (const auto noted = noted_.find(copy); noted != noted_.end()) {
      outcome.version = noted->second.version;
      continue;
    }
    if (!row.ok()) {
      outcome.refused = true;
      outcome.reason = std::string(row.status().message());
      continue;
    }
    const std::string path = PathOf(item);
    if (absl::Status status = Stage(path, *row); !status.ok()) return status;
    outcome.version = item.version();
    staged[copy] = {.version = item.version(), .path = path};
  }
  Failpoint("spool.staged");
  if (!staged.empty()) {
    if (absl::Status status = NoteAll(staged); !status.ok()) return status;
    noted_.insert(staged.begin(), staged.end());
  }
  Failpoint("spool.noted");
  for (const auto& [copy, entry] : staged) {
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

absl::Status SpoolEngine::RewriteLedger() {
  const std::string next = ledger_path_ + ".new";
  if (absl::Status status = WriteNew(next, LinesOf(noted_), kLedgerMode); !status.ok()) {
    return status;
  }
  const int file = open(next.c_str(), O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0 || rename(next.c_str(), ledger_path_.c_str()) != 0) {
    absl::Status status = FileError("rewrite", ledger_path_);
    if (file >= 0) close(file);
    return status;
  }
  close(std::exchange(ledger_, file));
  return SyncDirectory(std::filesystem::path(ledger_path_).parent_path().string());
}

// If these fail the entries are merely kept longer.
void SpoolEngine::Settled(const std::vector<Copy>& copies) {
  for (const Copy& copy : copies) noted_.erase(copy);
  static_cast<void>(noted_.empty() ? ftruncate(ledger_, 0) == 0 : RewriteLedger().ok());
}

void SpoolEngine::AllSettled() {
  if (!noted_.empty() && ftruncate(ledger_, 0) == 0) noted_.clear();
}

}  // namespace weir::control
