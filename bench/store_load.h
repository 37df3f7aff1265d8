// What the store is measured with: a file that has many records already, and sessions that each
// leave one of 600 bytes.
#ifndef WEIR_BENCH_STORE_LOAD_H_
#define WEIR_BENCH_STORE_LOAD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/store/store.h"

namespace weir::bench {

constexpr size_t kRecordBytes = 600;  // Serialised.
constexpr size_t kBatch = 1000;

// Makes a store with `records` finished sessions of one record each. Durable when it returns.
absl::Status FillStore(const std::string& path, uint64_t records);

// Begins so many sessions in the store, which nobody has open, and returns their ends, as sessions
// hand them over.
absl::StatusOr<std::vector<control::SessionEnd>> BeginSessions(const std::string& path,
                                                               uint64_t sessions);

// Once loosely written pages are on the disk, none of them is left to a later commit.
absl::Status SyncFile(const std::string& path);

// FailedPrecondition: what is written below `path` is never on a disk.
absl::Status RequireDisk(const std::string& path);

}  // namespace weir::bench

#endif  // WEIR_BENCH_STORE_LOAD_H_
