// How fast records become durable in the real store, with many there already, and in bare SQLite:
// the row store_append of bench/run. Files are made by `fill` and then appended to by turns.
//   bench-store fill FILE RECORDS      a store, and a table of single rows in FILE.rows
//   bench-store weir FILE RECORDS      sessions that end at once, then half as many at half that
//                                      rate
//   bench-store sqlite FILE RECORDS    the same rows by bare SQLite
//   bench-store row FILE RECORDS       one row a record, by bare SQLite
#include "control/store/store.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <latch>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "bench/quantile.h"
#include "bench/store_load.h"
#include "bench/store_peer.h"

namespace weir::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// Of the burst: one hands a batch over while the other's is written.
constexpr size_t kWriters = 2;
// Of the rest: each session ends on a thread of its own, which waits for its record.
constexpr size_t kSessions = 1000;
constexpr double kPacedShare = 0.5;
// So many threads that begin at once would hinder the first records, not the store.
constexpr Seconds kSettle{1};

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "bench-store: %s\n", std::string(status.message()).c_str());
  return 3;
}

// Runs `work` on so many threads at once; returns the time until the last of them is done.
Seconds OnThreads(size_t count, const std::function<void(Clock::time_point begun)>& work) {
  std::latch ready(static_cast<std::ptrdiff_t>(count) + 1);
  Clock::time_point begun;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; ++i) {
    threads.emplace_back([&] {
      ready.arrive_and_wait();
      work(begun);
    });
  }
  begun = Clock::now();
  ready.arrive_and_wait();
  for (std::thread& thread : threads) thread.join();
  return Clock::now() - begun;
}

// As fast as the store takes them, a batch at a time.
absl::StatusOr<Seconds> AppendAtOnce(control::Store* store,
                                     std::span<const control::SessionEnd> ends) {
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  const Seconds took = OnThreads(kWriters, [&](Clock::time_point) {
    for (size_t i = next.fetch_add(kBatch); i < ends.size(); i = next.fetch_add(kBatch)) {
      const size_t count = std::min(kBatch, ends.size() - i);
      for (const absl::Status& status : store->FinishSessions(ends.subspan(i, count))) {
        if (!status.ok()) failed = true;
      }
    }
  });
  if (failed) return absl::InternalError("a record was not stored");
  return took;
}

struct Paced {
  Seconds took{};
  std::vector<double> latencies_s;  // From the moment each was due until it was durable.
};

// One by one, the i-th when due[i] has passed since the beginning.
absl::StatusOr<Paced> AppendPaced(control::Store* store, std::span<const control::SessionEnd> ends,
                                  const std::vector<Seconds>& due) {
  Paced paced{.latencies_s = std::vector<double>(ends.size())};
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  paced.took = OnThreads(kSessions, [&](Clock::time_point begun) {
    for (size_t i = next++; i < ends.size(); i = next++) {
      const auto handed_over = begun + std::chrono::duration_cast<Clock::duration>(due[i]);
      std::this_thread::sleep_until(handed_over);
      if (!store->FinishSession(ends[i]).ok()) failed = true;
      paced.latencies_s[i] = Seconds(Clock::now() - handed_over).count();
    }
  });
  if (failed) return absl::InternalError("a record was not stored");
  return paced;
}

// At random times, as sessions end: exponential gaps, once the threads sleep.
std::vector<Seconds> PoissonTimes(size_t count, double rate) {
  std::mt19937_64 random(count);
  std::exponential_distribution<double> gap(rate);
  std::vector<Seconds> times;
  Seconds now = kSettle;
  for (size_t i = 0; i < count; ++i) times.push_back(now += Seconds(gap(random)));
  return times;
}

int MeasureWeir(const std::string& path, uint64_t records) {
  const auto ends = BeginSessions(path, records + records / 2);
  if (!ends.ok()) return Fail(ends.status());
  std::atomic<int64_t> commits{0};
  auto store = control::Store::Open({.path = path,
                                     .max_bytes = uint64_t{1} << 40,
                                     .audited = [&](const std::string& event, int64_t) {
                                       commits += event == "session_finished";
                                     }});
  if (!store.ok()) return Fail(store.status());
  const std::span all(*ends);
  const auto burst = AppendAtOnce(store->get(), all.first(records));
  if (!burst.ok()) return Fail(burst.status());
  const double rate = static_cast<double>(records) / burst->count();
  const double batch = static_cast<double>(records) / static_cast<double>(commits.load());
  const std::span rest = all.subspan(records);
  auto paced = AppendPaced(store->get(), rest, PoissonTimes(rest.size(), rate * kPacedShare));
  if (!paced.ok()) return Fail(paced.status());
  std::printf(
      "{\"records_per_s\": %.0f, \"batch\": %.0f, \"load_per_s\": %.0f, \"p50_ms\": %.3f, "
      "\"p99_ms\": %.3f}\n",
      rate, batch, static_cast<double>(rest.size()) / (paced->took - kSettle).count(),
      1e3 * Quantile(&paced->latencies_s, 0.5), 1e3 * Quantile(&paced->latencies_s, 0.99));
  return 0;
}

int Report(uint64_t records, const absl::StatusOr<double>& seconds) {
  if (!seconds.ok()) return Fail(seconds.status());
  std::printf("{\"records_per_s\": %.0f}\n", static_cast<double>(records) / *seconds);
  return 0;
}

int MeasureSameRows(const std::string& path, uint64_t records) {
  const auto ends = BeginSessions(path, records);
  if (!ends.ok()) return Fail(ends.status());
  return Report(records, AppendSameRows(path, *ends));
}

int Main(const std::string& what, const std::string& path, uint64_t records) {
  const std::string rows = path + ".rows";
  if (absl::Status status = RequireDisk(path); !status.ok()) return Fail(status);
  if (what == "weir") return MeasureWeir(path, records);
  if (what == "sqlite") return MeasureSameRows(path, records);
  if (what == "row") return Report(records, AppendRows(rows, records));
  absl::Status status = FillStore(path, records);
  if (status.ok()) status = FillRows(rows, records);
  return status.ok() ? 0 : Fail(status);
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  uint64_t records = 0;
  const std::string what = argc == 4 ? argv[1] : "";
  const bool known = what == "fill" || what == "weir" || what == "sqlite" || what == "row";
  if (!known || !absl::SimpleAtoi(argv[3], &records) || records < 2) {
    std::fprintf(stderr, "usage: bench-store fill|weir|sqlite|row FILE RECORDS\n");
    return 2;
  }
  return weir::bench::Main(what, argv[2], records);
}
