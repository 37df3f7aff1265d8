#include "bench/store_load.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/finished_record.h"
#include "control/admission/policy.h"
#include "control/export/export_policy.h"
#include "control/session/uuid.h"
#include "control/store/rows.h"
#include "control/store/sqlite.h"

namespace weir::bench {
namespace {

using control::Database;
using control::SessionEnd;
using control::SessionRow;

constexpr char kPolicy[] = R"(
profile: "lab"
notice: "It is published under CC0."
admission { name: "interactive" effect: ALLOW match { experiment: "weir" purpose: "interactive" } }
export {
  name: "published-cc0" effect: ALLOW address: "full" release_class: "public" license: "CC0-1.0"
  match { experiment: "weir" admission_rule: "interactive" }
}
)";
constexpr char kClient[] = "192.0.2.77";
constexpr uint64_t kPerCommit = 50'000;

// A record as a test leaves it, made as long as asked by what its client said of itself.
record::v1::Record MakeRecord(const std::string& session_id, int64_t begun_unix_ns,
                              size_t metadata_bytes) {
  record::v1::Record record = FinishedRecord(session_id, begun_unix_ns / 1'000'000'000);
  for (uint32_t i = 0; i < 3; ++i) {
    record::v1::Interval& interval = *record.mutable_result()->add_intervals();
    interval.set_index(i);
    interval.set_sent(41'667);
    interval.set_received(41'666);
  }
  record::v1::Metadata& metadata = *record.add_metadata();
  metadata.set_key("access");
  metadata.set_value(std::string(metadata_bytes, 'x'));
  return record;
}

class Maker {
 public:
  static absl::StatusOr<Maker> Create() {
    auto policy = control::Policy::Parse("bench", kPolicy);
    if (!policy.ok()) return policy.status();
    Maker maker(*std::move(policy));
    // Twice: of more bytes the length takes more, too.
    for (int i = 0; i < 2; ++i) {
      const auto end = maker.MakeEnd(maker.MakeRow());
      if (!end.ok()) return end.status();
      maker.metadata_bytes_ += kRecordBytes - end->records[0].record().ByteSizeLong();
    }
    return maker;
  }

  SessionRow MakeRow() const {
    const int64_t now = absl::GetCurrentTimeNanos();
    return {
        .session_id = control::Uuid::Generate(static_cast<uint64_t>(now) / 1'000'000).ToString(),
        .role = "server",
        .started_unix_ns = now,
        .admission_rule = "interactive",
        .policy_digest = policy_->digest(),
        .experiment = "weir",
        .purpose = "interactive",
        .client_address = kClient,
        .requested = std::string(120, 'r'),
        .granted = std::string(200, 'g')};
  }

  absl::StatusOr<SessionEnd> MakeEnd(const SessionRow& row) const {
    auto approved =
        exporter_.Approve({.session_id = row.session_id,
                           .admission_rule = row.admission_rule,
                           .policy_digest = row.policy_digest,
                           .experiment = row.experiment,
                           .purpose = row.purpose,
                           .client_address = row.client_address},
                          MakeRecord(row.session_id, row.started_unix_ns, metadata_bytes_));
    if (!approved.ok()) return approved.status();
    SessionEnd end;
    end.session_id = row.session_id;
    end.state = "exported";
    end.end_reason = "duration";
    end.records.push_back(*std::move(approved));
    return end;
  }

 private:
  explicit Maker(std::shared_ptr<const control::Policy> policy)
      : policy_(policy), exporter_(std::move(policy)) {}

  std::shared_ptr<const control::Policy> policy_;
  control::ExportPolicy exporter_;
  size_t metadata_bytes_ = 1;
};

// Quickly: durable only when it is closed.
absl::StatusOr<Database> OpenLoosely(const std::string& path) {
  auto database = Database::Open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
  if (!database.ok()) return database.status();
  absl::Status status = database->Execute("PRAGMA synchronous=OFF; PRAGMA cache_size=-65536");
  if (!status.ok()) return status;
  return database;
}

}  // namespace

absl::Status FillStore(const std::string& path, uint64_t records) {
  if (auto made = control::Store::Open({.path = path}); !made.ok()) return made.status();
  while (records != 0) {
    const uint64_t some = std::min(records, kPerCommit);
    const auto ends = BeginSessions(path, some);
    if (!ends.ok()) return ends.status();
    auto database = OpenLoosely(path);
    if (!database.ok()) return database.status();
    absl::Status status = database->Run("BEGIN IMMEDIATE");
    for (const SessionEnd& end : *ends) {
      const control::Moment now{.clocks = control::ReadClocks(),
                                .audit_unix_ns = absl::GetCurrentTimeNanos()};
      const auto row = control::EndRow::Encode(end);
      if (status.ok()) status = row.status();
      if (status.ok()) status = control::FinishSessionRows(&*database, *row, now).status();
    }
    if (status.ok()) status = database->Commit();
    if (!status.ok()) return status;
    records -= some;
  }
  return SyncFile(path);
}

absl::StatusOr<std::vector<SessionEnd>> BeginSessions(const std::string& path, uint64_t sessions) {
  const auto maker = Maker::Create();
  if (!maker.ok()) return maker.status();
  std::vector<SessionEnd> ends;
  auto database = OpenLoosely(path);
  if (!database.ok()) return database.status();
  absl::Status status = database->Run("BEGIN IMMEDIATE");
  for (uint64_t i = 0; status.ok() && i < sessions; ++i) {
    const SessionRow row = maker->MakeRow();
    auto end = maker->MakeEnd(row);
    if (!end.ok()) return end.status();
    ends.push_back(*std::move(end));
    status = control::InsertSession(&*database, row);
  }
  if (status.ok()) status = database->Commit();
  if (!status.ok()) return status;
  return ends;
}

absl::Status SyncFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0) close(fd);
  return synced ? absl::OkStatus() : absl::ErrnoToStatus(why, path);
}

absl::Status RequireDisk(const std::string& path) {
  const std::string directory = std::filesystem::absolute(path).parent_path().string();
  struct statfs file_system = {};
  if (statfs(directory.c_str(), &file_system) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(directory, ": no such directory"));
  }
  if (file_system.f_type != TMPFS_MAGIC && file_system.f_type != RAMFS_MAGIC) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(directory, ": in memory, where nothing is durable; name a directory on a disk"));
}

}  // namespace weir::bench
