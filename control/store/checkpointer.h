// Moves what was committed from the write-ahead log into the database file.
#ifndef WEIR_CONTROL_STORE_CHECKPOINTER_H_
#define WEIR_CONTROL_STORE_CHECKPOINTER_H_

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "control/store/sqlite.h"

namespace weir::control {

// On a thread and a connection of its own: a checkpoint writes pages all over the file and waits
// for the disk, and no commit is to wait for that. What is committed is durable without it.
class Checkpointer {
 public:
  // It works whenever so many pages have come to the log: each time it writes what every commit
  // changes, and waits for the disk twice.
  static constexpr int kSomePages = 1000;
  // With so many in it the writer waits: a log that is appended to all the time would never begin
  // anew.
  static constexpr int kMostPages = 8000;

  // A connection to the same database.
  explicit Checkpointer(Database database);
  ~Checkpointer();

  // The writer, between transactions: the log holds `pages`.
  void Committed(int pages);
  // The writer, between transactions: moves all and empties the log's file; if a reader is at it,
  // after a later commit.
  void EmptyLog();

 private:
  void Loop();
  bool Run(const char* mode);

  // These two are the writer's.
  int asked_at_ = 0;       // Pages in the log when it last asked.
  bool emptying_ = false;  // The log is still to be emptied.

  std::mutex running_;  // Guards database_: SQLite refuses a second checkpoint at a time.
  Database database_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool wanted_ = false;
  bool stop_ = false;
  std::thread thread_;  // Last: it uses the others.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_CHECKPOINTER_H_
