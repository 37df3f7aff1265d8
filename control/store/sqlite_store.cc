#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "control/failpoint.h"
#include "control/store/audit_log.h"
#include "control/store/batch_writer.h"
#include "control/store/checkpointer.h"
#include "control/store/delivery_rows.h"
#include "control/store/flow_rows.h"
#include "control/store/lifecycle_rows.h"
#include "control/store/rejection_tally.h"
#include "control/store/retention_rows.h"
#include "control/store/rows.h"
#include "control/store/schema.h"
#include "control/store/store.h"
#include "control/store/use_rows.h"

namespace weir::control {
namespace {

constexpr uint32_t kDefaultLimit = 100;
constexpr uint32_t kMaxLimit = 1000;

constexpr int64_t kMinuteNs = int64_t{60} * 1'000'000'000;

// When the minute began whose refusals are still counted together.
int64_t ThisMinute(int64_t now_unix_ns) { return now_unix_ns - now_unix_ns % kMinuteNs; }

uint32_t Bounded(uint32_t limit) { return limit == 0 ? kDefaultLimit : std::min(limit, kMaxLimit); }

// Keeps every other weir-control out for as long as it lives. A lock of its own kind (flock), so
// that it cannot disturb SQLite's; it must be closed after the last connection, though.
class FileLock {
 public:
  FileLock() = default;
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (fd_ >= 0) close(fd_);
  }

  // Creates the file if need be; owner-only in any case.
  absl::Status Take(const std::string& path) {
    fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd_ < 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          path, ": ", std::strerror(errno), errno == ENOENT ? "; create the directory first" : ""));
    }
    if (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          path, ": in use by another weir-control; stop that one, or give `store` another path"));
    }
    if (fchmod(fd_, S_IRUSR | S_IWUSR) != 0) {
      return absl::FailedPreconditionError(absl::StrCat(path, ": ", std::strerror(errno)));
    }
    return absl::OkStatus();
  }

 private:
  int fd_ = -1;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(const StoreOptions& options, FileLock lock, Database writing, Database reading,
              Database checkpointing, int64_t records, int64_t audited)
      : options_(options),
        lock_(std::move(lock)),
        reading_(std::move(reading)),
        writing_(std::move(writing)),
        checkpointer_(std::move(checkpointing)),
        records_(records),
        told_audit_id_(audited),
        writer_(&writing_, [this] {
          checkpointer_.Committed(writing_.LogPages());
          Measure();
          TellAudited();
        }) {}

  absl::Status BeginSession(const SessionRow& row) override {
    return writer_.Run({.apply =
                            [&row, now = absl::GetCurrentTimeNanos()](Database* db) {
                              if (absl::Status status = SealRejections(db, ThisMinute(now));
                                  !status.ok()) {
                                return status;
                              }
                              return InsertSession(db, row);
                            },
                        .on_failure = BatchWriter::OnFailure::kFail});
  }

  void AppendInterval(const std::string& session_id, record::v1::Direction direction,
                      const record::v1::Interval& interval) override {
    writer_.Post({.apply = [session_id, direction, interval](Database* db) {
      return InsertInterval(db, session_id, direction, interval);
    }});
  }

  std::vector<absl::Status> FinishSessions(std::span<const SessionEnd> ends) override {
    std::vector<absl::Status> results;
    std::vector<BatchWriter::Operation> operations;
    for (const SessionEnd& end : ends) {
      auto row = EndRow::Encode(end);
      results.push_back(row.status());
      if (row.ok()) operations.push_back(Finish(*std::move(row)));
    }
    const std::vector<absl::Status> written = writer_.RunAll(std::move(operations));
    auto next = written.begin();
    for (absl::Status& result : results) {
      if (result.ok()) result = *next++;
    }
    return results;
  }

  void AuditRejection(const measurement::v1::Rejection& rejection,
                      const std::string& peer) override {
    const std::lock_guard lock(tally_mutex_);
    const bool first = tally_.empty();
    tally_.Add(rejection, peer, absl::GetCurrentTimeNanos());
    if (!first) return;  // The operation that will write it is queued already.
    auto taken = std::make_shared<RejectionTally>();
    writer_.Post({.apply = [this, taken, now = absl::GetCurrentTimeNanos()](Database* db) {
      if (absl::Status status = SealRejections(db, ThisMinute(now)); !status.ok()) return status;
      // On a second try, what was taken the first time is still to be written.
      {
        const std::lock_guard tally_lock(tally_mutex_);
        taken->Return(tally_.Take());
      }
      return InsertRejections(db, taken->entries());
    }});
  }

  void Audit(const AuditEvent& event) override {
    writer_.Post({.apply = [event, now = absl::GetCurrentTimeNanos()](Database* db) {
      return InsertEvent(db, event, now);
    }});
  }

  absl::Status AuditNow(const AuditEvent& event) override {
    return writer_.Run({.apply = [&event, now = absl::GetCurrentTimeNanos()](
                                     Database* db) { return InsertEvent(db, event, now); },
                        .on_failure = BatchWriter::OnFailure::kFail});
  }

  absl::StatusOr<int> RunDeadlines() override {
    constexpr int kBatch = 100;  // Others' commits must not wait for a mass release.
    int done = 0;
    while (true) {
      auto rows = Change<int>(
          [](Database* db, const Moment& now) { return RunDeadlineRows(db, now, kBatch); },
          nullptr);
      if (!rows.ok()) return rows.status();
      done += *rows;
      if (*rows < kBatch) return done;
    }
  }

  absl::StatusOr<RetentionRun> RunRetention(const RetentionTerms& terms) override {
    constexpr int kBatch = 100;
    auto database = OpenReader();
    if (!database.ok()) return database.status();
    RetentionRun run;
    while (true) {
      const auto ids = SelectDeletable(&*database, terms, kBatch);
      if (!ids.ok()) return ids.status();
      if (ids->empty()) break;
      const auto deleted = Change<int64_t>(
          [&](Database* db, const Moment& now) { return DeleteRecords(db, *ids, terms, now); },
          nullptr);
      if (!deleted.ok()) return deleted.status();
      if (*deleted == 0) break;  // They changed meanwhile: the next run sees how.
      records_.fetch_sub(*deleted, std::memory_order_relaxed);
      run.deleted += *deleted;
    }
    if (run.deleted != 0) Reclaim();
    const auto due = CountDue(&*database);
    if (!due.ok()) return due.status();
    run.held = *due;
    return run;
  }

  absl::StatusOr<RecordChange> ReleaseRecord(const std::string& id,
                                             const std::string& why) override {
    return Change<RecordChange>(
        [&](Database* db, const Moment& now) { return ReleaseRows(db, id, why, now); }, nullptr);
  }

  absl::StatusOr<RecordChange> AnonymiseRecord(const std::string& id,
                                               const std::string& why) override {
    // The log still has the page as it was.
    return Change<RecordChange>(
        [&](Database* db, const Moment& now) { return AnonymiseRows(db, id, why, now); },
        [this] { checkpointer_.EmptyLog(); });
  }

  absl::StatusOr<std::vector<UseRow>> LoadUse() override {
    const std::lock_guard lock(read_mutex_);
    return SelectUse(&reading_, absl::GetCurrentTimeNanos());
  }

  absl::StatusOr<std::vector<TokenRow>> LoadTokens() override {
    const std::lock_guard lock(read_mutex_);
    return SelectTokens(&reading_, absl::GetCurrentTimeNanos());
  }

  void SaveEgress(const EgressRow& row) override {
    writer_.Post({.apply = [row](Database* db) { return InsertEgress(db, row); }});
  }

  absl::StatusOr<std::vector<EgressRow>> LoadEgress() override {
    const std::lock_guard lock(read_mutex_);
    return SelectEgress(&reading_, absl::GetCurrentTimeNanos());
  }

  absl::StatusOr<std::vector<AuditRow>> ListAudit(const AuditFilter& filter) override {
    AuditFilter bounded = filter;
    bounded.limit = Bounded(filter.limit);
    const std::lock_guard lock(read_mutex_);
    return SelectAudit(&reading_, bounded);
  }

  absl::StatusOr<AuditVerdict> VerifyAudit(const AuditHead& anchor) override {
    auto database = OpenReader();
    if (!database.ok()) return database.status();
    return control::VerifyAudit(&*database, anchor.id == 0 ? std::nullopt : std::optional(anchor));
  }

  absl::StatusOr<std::string> FindFlow(const std::string& key, int64_t at_unix_ns,
                                       int64_t slack_ns) override {
    const std::lock_guard lock(read_mutex_);
    return SelectFlow(&reading_, key, at_unix_ns, slack_ns);
  }

  absl::StatusOr<std::vector<UnfinishedSession>> UnfinishedSessions() override {
    const std::lock_guard lock(read_mutex_);
    return SelectUnfinished(&reading_);
  }

  absl::StatusOr<std::vector<FinishedSession>> ListFinished(uint32_t limit) override {
    const std::lock_guard lock(read_mutex_);
    return SelectFinished(&reading_, Bounded(limit));
  }

  absl::StatusOr<std::vector<StoredRecord>> ListRecords(uint32_t limit,
                                                        const std::string& before_id) override {
    const std::lock_guard lock(read_mutex_);
    return SelectRecords(&reading_, Bounded(limit), before_id);
  }

  absl::Status VisitReleased(int64_t since_unix_ns, int64_t until_unix_ns,
                             const std::string& experiment,
                             const std::function<void(const StoredRecord&)>& visit) override {
    auto database = OpenReader();
    if (!database.ok()) return database.status();
    return VisitReleasedRows(&*database, since_unix_ns, until_unix_ns, experiment, visit);
  }

  absl::StatusOr<StoredRecord> FindRecord(const std::string& record_id) override {
    const std::lock_guard lock(read_mutex_);
    return SelectRecord(&reading_, record_id);
  }

  absl::StatusOr<Pulled> PullDeliveries(
      const PullQuery& query, const std::function<bool(const StoredRecord&)>& may_go) override {
    absl::StatusOr<std::optional<int64_t>> settled = std::nullopt;
    absl::StatusOr<Pulled> pulled = Pulled{};
    {
      const std::lock_guard lock(read_mutex_);
      settled = SelectProgress(&reading_, query.destination, query.terms);
      if (!settled.ok()) return settled.status();
      pulled = SelectPending(&reading_, query, settled->value_or(0), may_go);
    }
    // What need not be looked at again, and that the destination came: if it is lost, all is looked
    // at again.
    if (pulled.ok() && pulled->settled_change != *settled) {
      writer_.Post(
          {.apply = [destination = query.destination, terms = query.terms,
                     from = settled->value_or(0), to = pulled->settled_change](Database* db) {
            return SaveProgress(db, destination, terms, from, to);
          }});
    }
    Failpoint("store.pulled");
    return pulled;
  }

  absl::Status SettleDeliveries(const std::string& destination,
                                const std::vector<Delivery>& deliveries,
                                const std::string& audit_detail) override {
    return writer_.Run({.apply =
                            [&, now = Now()](Database* db) {
                              absl::Status status =
                                  SettleRows(db, destination, deliveries, audit_detail, now);
                              Failpoint("store.settling");
                              return status;
                            },
                        .committed = [] { Failpoint("store.settled"); },
                        .on_failure = BatchWriter::OnFailure::kFail});
  }

  absl::StatusOr<int64_t> ReopenDeliveries(const std::string& destination,
                                           const std::vector<Delivery>& deliveries, Reopening why,
                                           const std::string& audit_detail) override {
    int64_t reopened = 0;
    absl::Status status =
        writer_.Run({.apply =
                         [&, now = Now()](Database* db) {
                           const auto count =
                               ReopenRows(db, destination, deliveries, why, audit_detail, now);
                           if (count.ok()) reopened = *count;
                           return count.status();
                         },
                     .on_failure = BatchWriter::OnFailure::kFail});
    if (!status.ok()) return status;
    return reopened;
  }

  absl::StatusOr<std::vector<DeliveryCounts>> CountDeliveries() override {
    const std::lock_guard lock(read_mutex_);
    return SelectDeliveryCounts(&reading_);
  }

  absl::StatusOr<std::vector<Backlog>> ListBacklogs() override {
    const std::lock_guard lock(read_mutex_);
    return SelectBacklogs(&reading_);
  }

  absl::Status ForgetDestination(const std::string& destination) override {
    return writer_.Run(
        {.apply =
             [&, now = Now()](Database* db) { return ForgetDestinationRows(db, destination, now); },
         .on_failure = BatchWriter::OnFailure::kFail});
  }

  absl::StatusOr<std::vector<DeadLetter>> ListDeadLetters(uint32_t limit) override {
    const std::lock_guard lock(read_mutex_);
    return SelectDeadLetters(&reading_, limit);
  }

  absl::StatusOr<AuditHead> CurrentAuditHead() override {
    const std::lock_guard lock(read_mutex_);
    const auto head = SelectAuditHead(&reading_);
    if (!head.ok()) return head.status();
    return head->value_or(AuditHead{});
  }

  uint64_t RecordCount() const override {
    return static_cast<uint64_t>(records_.load(std::memory_order_relaxed));
  }
  uint64_t SizeBytes() const override { return size_.load(std::memory_order_relaxed); }
  bool Full() const override { return SizeBytes() >= options_.max_bytes || !writer_.Health().ok(); }
  absl::Status Health() const override {
    if (absl::Status status = writer_.Health(); !status.ok()) return status;
    if (SizeBytes() < options_.max_bytes) return absl::OkStatus();
    return absl::ResourceExhaustedError(
        absl::StrCat("the store holds ", SizeBytes(),
                     " bytes; its high-water mark (store_max_bytes) is ", options_.max_bytes));
  }

  absl::Status Flush() override {
    return writer_.Run({.apply = [](Database*) { return absl::OkStatus(); },
                        .on_failure = BatchWriter::OnFailure::kFail});
  }

  absl::Status SealAll() {
    return writer_.Run(
        {.apply =
             [](Database* db) { return SealRejections(db, std::numeric_limits<int64_t>::max()); },
         .on_failure = BatchWriter::OnFailure::kFail});
  }

  // On the writer's thread: pages in use, and what the log holds beside them.
  void Measure() {
    const auto pages = writing_.QueryInt("PRAGMA page_count");
    const auto unused = writing_.QueryInt("PRAGMA freelist_count");
    const auto page_size = writing_.QueryInt("PRAGMA page_size");
    if (!pages.ok() || !unused.ok() || !page_size.ok()) return;
    struct stat log = {};
    if (stat(absl::StrCat(options_.path, "-wal").c_str(), &log) != 0) log.st_size = 0;
    size_.store(static_cast<uint64_t>((*pages - *unused) * *page_size + log.st_size),
                std::memory_order_relaxed);
  }

  // On the writer's thread: whoever counts audit rows counts what is committed, and each once.
  void TellAudited() {
    if (!options_.audited) return;
    auto rows = writing_.Prepare("SELECT event, count, id FROM audit WHERE id > ? ORDER BY id");
    if (!rows.ok()) return;
    rows->Bind(0, told_audit_id_);
    std::map<std::string, int64_t> counts;  // Here: SQLite would sort the rows by event.
    while (true) {
      const auto found = rows->Step();
      if (!found.ok() || !*found) break;
      counts[rows->Text(0)] += rows->Int(1);
      told_audit_id_ = rows->Int(2);
    }
    for (const auto& [event, count] : counts) options_.audited(event, count);
  }

 private:
  // Gives the pages of what was deleted back to the file system, and overwrites them in the log.
  void Reclaim() {
    const auto apply = [](Database* db) { return db->Execute("PRAGMA incremental_vacuum"); };
    absl::Status status = writer_.Run({.apply = apply,
                                       .committed =
                                           [this] {
                                             checkpointer_.EmptyLog();
                                             Measure();
                                           },
                                       .on_failure = BatchWriter::OnFailure::kFail});
    if (!status.ok()) spdlog::warn("store: {}", std::string(status.message()));
  }

  Moment Now() const {
    return {.clocks = options_.clocks(), .audit_unix_ns = absl::GetCurrentTimeNanos()};
  }

  // A connection of its own: what reads much must not keep other readers waiting.
  absl::StatusOr<Database> OpenReader() const {
    auto database = Database::Open(options_.path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
    if (!database.ok()) return database.status();
    if (absl::Status status = database->Execute("PRAGMA query_only=ON"); !status.ok()) {
      return status;
    }
    return database;
  }

  BatchWriter::Operation Finish(EndRow row) {
    auto added = std::make_shared<int64_t>(0);
    return {.apply =
                [row = std::move(row), added, now = Now()](Database* db) {
                  const auto rows = FinishSessionRows(db, row, now);
                  if (rows.ok()) *added = *rows;
                  Failpoint("store.recording");
                  return rows.status();
                },
            .committed =
                [this, added] {
                  records_.fetch_add(*added, std::memory_order_relaxed);
                  Failpoint("store.recorded");
                }};
  }

  // One durable change, with what it found.
  template <typename Result, typename Apply>
  absl::StatusOr<Result> Change(const Apply& apply, const std::function<void()>& committed) {
    Result result{};
    absl::Status status = writer_.Run({.apply =
                                           [&, now = Now()](Database* db) {
                                             auto applied = apply(db, now);
                                             if (!applied.ok()) return applied.status();
                                             result = *std::move(applied);
                                             return absl::OkStatus();
                                           },
                                       .committed = committed,
                                       .on_failure = BatchWriter::OnFailure::kFail});
    if (!status.ok()) return status;
    return result;
  }

  const StoreOptions options_;
  const FileLock lock_;  // Outlives all connections.

  std::mutex read_mutex_;  // Guards reading_.
  Database reading_;
  Database writing_;  // The writer's.
  Checkpointer checkpointer_;

  std::mutex tally_mutex_;
  RejectionTally tally_;

  std::atomic<int64_t> records_;
  std::atomic<uint64_t> size_{0};
  int64_t told_audit_id_ = 0;  // The writer's.

  BatchWriter writer_;  // Last: it stops before what its operations use goes.
};

absl::Status Configure(Database* database) {
  return database->Execute(
      "PRAGMA auto_vacuum=INCREMENTAL;"  // Of a new file; an older one reuses what retention frees.
      "PRAGMA journal_mode=WAL;"
      "PRAGMA synchronous=FULL;"
      "PRAGMA foreign_keys=ON;"
      "PRAGMA secure_delete=ON;"  // A client address that is forgotten is overwritten.
      "PRAGMA temp_store=MEMORY;"
      "PRAGMA cache_size=-16384;"  // KiB: a batch fits, and is written once.
      "PRAGMA trusted_schema=OFF;"
      "PRAGMA journal_size_limit=33554432;");  // Checkpointer::kMostPages stay allocated.
}

absl::Status CheckIntegrity(Database* database) {
  const auto verdict = database->QueryText("PRAGMA quick_check(1)");
  if (!verdict.ok()) return verdict.status();
  return *verdict == "ok" ? absl::OkStatus() : absl::DataLossError(*verdict);
}

absl::Status Explain(const std::string& path, const absl::Status& status) {
  const std::string message(status.message());
  if (absl::IsFailedPrecondition(status)) return status;
  if (absl::IsDataLoss(status)) {
    return absl::DataLossError(absl::StrCat(
        path, ": damaged: ", message,
        "; move it and its -wal file aside, or restore it from a copy, then start again"));
  }
  return absl::Status(status.code(), absl::StrCat(path, ": ", message));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const StoreOptions& options) {
  FileLock lock;
  if (absl::Status status = lock.Take(options.path); !status.ok()) return status;

  const auto explain = [&](const absl::Status& status) { return Explain(options.path, status); };
  auto writing = Database::Open(options.path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
  if (!writing.ok()) return explain(writing.status());
  if (absl::Status status = CheckOwner(options.path, &*writing); !status.ok()) {
    return explain(status);
  }
  const auto migrate = [](Database* database) { return Migrate(database); };
  for (absl::Status (*step)(Database*) : {&Configure, &CheckIntegrity, +migrate}) {
    if (absl::Status status = step(&*writing); !status.ok()) return explain(status);
  }
  const auto records = writing->QueryInt("SELECT count(*) FROM records");
  if (!records.ok()) return explain(records.status());
  const auto audited = writing->QueryInt("SELECT coalesce(max(id), 0) FROM audit");
  if (!audited.ok()) return explain(audited.status());

  auto reading = Database::Open(options.path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
  if (!reading.ok()) return explain(reading.status());
  if (absl::Status status = reading->Execute("PRAGMA query_only=ON; PRAGMA trusted_schema=OFF;");
      !status.ok()) {
    return explain(status);
  }
  auto checkpointing = Database::Open(options.path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX);
  if (!checkpointing.ok()) return explain(checkpointing.status());
  if (absl::Status status = checkpointing->Execute("PRAGMA synchronous=FULL"); !status.ok()) {
    return explain(status);
  }
  writing->WatchLog();
  auto store = std::make_unique<SqliteStore>(options, std::move(lock), *std::move(writing),
                                             *std::move(reading), *std::move(checkpointing),
                                             *records, *audited);
  // What an earlier process counted is final. Measures too.
  if (absl::Status status = store->SealAll(); !status.ok()) return explain(status);
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace weir::control
