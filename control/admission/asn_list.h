// Which network announces an address: a file of prefixes and AS numbers.
#ifndef WEIR_CONTROL_ADMISSION_ASN_LIST_H_
#define WEIR_CONTROL_ADMISSION_ASN_LIST_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "control/admission/ip_address.h"
#include "control/admission/prefix_trie.h"

namespace weir::control {

// Immutable, so any number of threads may read it.
class AsnList {
 public:
  AsnList() = default;
  // Lines of a prefix and the AS number that originates it, "192.0.2.0/24 64500"; '#' begins a
  // comment. InvalidArgument names path, line and fault.
  static absl::StatusOr<AsnList> Parse(const std::string& path, const std::string& text);

  // Of the longest prefix that contains the address; 0 if none does.
  uint32_t Find(const IpAddress& address) const;

 private:
  PrefixTrie prefixes_;  // Values are AS numbers.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_ASN_LIST_H_
