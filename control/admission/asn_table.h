// Which networks announce an address, as files say.
#ifndef WEIR_CONTROL_ADMISSION_ASN_TABLE_H_
#define WEIR_CONTROL_ADMISSION_ASN_TABLE_H_

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/admission/ip_address.h"
#include "control/admission/prefix_trie.h"

namespace weir::control {

// Who announces a prefix.
struct Origin {
  std::string name;               // "AS64500"; of several as the file has them, "AS64500_64501".
  std::vector<uint32_t> numbers;  // Each of them; at least one.
};

// An origin that is not known is nobody's.
bool IsOf(const Origin* origin, uint32_t asn);

// Filled from text in the format of CAIDA's prefix-to-AS data (proto/README.md section 8.1). A
// million lines take some 90 MB. Immutable once filled, so any number of threads may read it.
class AsnTable {
 public:
  static constexpr size_t kMaxFileBytes = size_t{256} << 20;

  // NotFound; InvalidArgument as of Add.
  static absl::StatusOr<AsnTable> Load(const std::vector<std::string>& paths);

  // Adds what the file `path` has. InvalidArgument: "<path>:<line>: <what>".
  absl::Status Add(const std::string& path, std::string_view text);

  // Of the longest prefix that holds all of `client`, and of its lines the first; null: not known.
  // Valid as long as the table.
  const Origin* Find(const IpPrefix& client) const;

 private:
  absl::Status AddLine(std::string_view line);
  absl::StatusOr<uint32_t> OriginIndex(const std::string& text);

  PrefixTrie prefixes_;  // Values are indexes of origins_.
  std::vector<Origin> origins_;
  absl::flat_hash_map<std::string, uint32_t> index_;  // Of origins_, by the text in the file.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_ASN_TABLE_H_
