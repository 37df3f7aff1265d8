// What a device was like before weir-nic changed it.
#ifndef WEIR_DATAPLANE_NIC_UNDO_RECORD_H_
#define WEIR_DATAPLANE_NIC_UNDO_RECORD_H_

#include <map>
#include <optional>
#include <string>

#include "dataplane/result.h"

namespace weir::dataplane::nic {

// Lines of key=value in a file that does not survive a reboot, as the changes do not.
class UndoRecord {
 public:
  // Of the device `name` (an interface's record is its network namespace's own).
  UndoRecord(const std::string& directory, const std::string& name);

  // Empty if there is none.
  std::map<std::string, std::string> Load() const;
  // Adds `key` unless it is there: the first value is the original one.
  Status Remember(const std::string& key, const std::string& value);
  void Remove();

 private:
  std::string directory_;
  std::string path_;
};

inline constexpr char kUndoDirectory[] = "/run/weir/nic";

}  // namespace weir::dataplane::nic

#endif  // WEIR_DATAPLANE_NIC_UNDO_RECORD_H_
