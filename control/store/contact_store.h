// Contact details that people left for researchers: a file of its own, which the operator cannot
// read. proto/README.md section 8.4.
#ifndef WEIR_CONTROL_STORE_CONTACT_STORE_H_
#define WEIR_CONTROL_STORE_CONTACT_STORE_H_

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/store/release_clock.h"
#include "control/store/sqlite.h"

namespace weir::control {

struct ContactRow {
  std::string session_id = {};
  std::string experiment = {};
  std::string key_digest = {};  // "sha256:<hex>" of the public key.
  std::string sealed = {};
  uint32_t keep_days = 0;
  // Read back only.
  int64_t stored_unix_ns = 0;
  int64_t delete_due_ns = 0;  // By the release clock.
  uint32_t sealed_bytes = 0;
};

// Holds sealed bytes and the session they came with: no address, no name. The file is made with the
// first of them. What is deleted is overwritten. Thread-safe.
class ContactStore {
 public:
  explicit ContactStore(std::string path, std::function<ClockReading()> clocks = ReadClocks)
      : path_(std::move(path)), clocks_(std::move(clocks)) {}
  ContactStore(const ContactStore&) = delete;
  ContactStore& operator=(const ContactStore&) = delete;

  // OK, or why a file that is there cannot be used.
  absl::Status Check();

  // Durable. AlreadyExists: the session has left some.
  absl::Status Keep(const ContactRow& row);
  // Oldest first. Empty `experiment`: of all. `sealed` is left out unless asked for.
  absl::StatusOr<std::vector<ContactRow>> List(const std::string& experiment, bool with_sealed);
  // Durable. False: the session left none.
  absl::StatusOr<bool> Erase(const std::string& session_id);
  // Deletes what is due; the sessions it was of. Durable.
  absl::StatusOr<std::vector<std::string>> RunDeadlines();

  uint64_t Count();  // 0 as well if it cannot be read.

 private:
  // Null: there is no file, and none is to be made.
  absl::StatusOr<Database*> Open(bool create);
  absl::StatusOr<std::vector<std::string>> DeleteDue(Database* database);
  // One transaction.
  absl::Status Write(Database* database, const std::function<absl::Status()>& apply);

  const std::string path_;
  const std::function<ClockReading()> clocks_;
  std::mutex mutex_;  // Guards the connection.
  std::optional<Database> database_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_STORE_CONTACT_STORE_H_
