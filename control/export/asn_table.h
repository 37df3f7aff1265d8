// Which addresses are of which autonomous system, as files say.
#ifndef WEIR_CONTROL_EXPORT_ASN_TABLE_H_
#define WEIR_CONTROL_EXPORT_ASN_TABLE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/admission/prefix_trie.h"

namespace weir::control {

// A line is an address, a prefix length and the origin: a number, several joined by '_' (announced
// by each), or a set joined by ','. A million lines take some 90 MB. Immutable once loaded.
class AsnTable {
 public:
  // NotFound; InvalidArgument: "<path>:<line>: <what>".
  static absl::StatusOr<AsnTable> Load(const std::vector<std::string>& paths);

  // "AS64500", of the longest prefix that holds all of `client`, which is an address or a prefix as
  // records have them. Empty: not known.
  std::string Find(std::string_view client) const;

 private:
  struct Entry {
    int length = 0;
    uint32_t origin = 0;  // Index of origins_.
  };

  absl::Status Add(std::string_view line);

  PrefixTrie prefixes_;  // Values are indexes of entries_.
  std::vector<Entry> entries_;
  std::vector<std::string> origins_;
  std::map<std::string, uint32_t, std::less<>> origin_index_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_ASN_TABLE_H_
