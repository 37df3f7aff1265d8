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
  // From so many pages in the log on it works; with so many, the writer waits for it: a log that is
  // appended to all the time would never begin anew.
  static constexpr int kSomePages = 1000;
  static constexpr int kMostPages = 8000;

  // A connection to the same database.
  explicit Checkpointer(Database database);
  ~Checkpointer();

  // The writer, between transactions: the log holds `pages`.
  void Committed(int pages);
  // The writer, between transactions: moves all and empties the log's file, unless a reader is at
  // it, and then with a later checkpoint.
  void EmptyLog();

 private:
  void Loop();
  void Run(const char* mode);

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
