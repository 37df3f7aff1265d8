// Bare SQLite: what any program has to do that writes the same durably. WAL, synchronous=FULL, one
// transaction a batch, statements prepared once, values bound without a copy; no other option set.
#ifndef WEIR_BENCH_STORE_PEER_H_
#define WEIR_BENCH_STORE_PEER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/store/store.h"

namespace weir::bench {

// Ends these sessions in a store nobody has open, by the rows that the store writes of them: the
// record, its session's end and both audit rows (with 32 bytes in place of the chain's hash, which
// are not computed). Returns the seconds it took.
absl::StatusOr<double> AppendSameRows(const std::string& path,
                                      const std::vector<control::SessionEnd>& ends);

// A table of so many rows of 600 bytes by a record's id. Durable when it returns.
absl::Status FillRows(const std::string& path, uint64_t rows);
// One row a record into it. Returns the seconds it took.
absl::StatusOr<double> AppendRows(const std::string& path, uint64_t rows);

}  // namespace weir::bench

#endif  // WEIR_BENCH_STORE_PEER_H_
