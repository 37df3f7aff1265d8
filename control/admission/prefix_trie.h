// Binary trie from IP prefixes to small integers.
#ifndef WEIR_CONTROL_ADMISSION_PREFIX_TRIE_H_
#define WEIR_CONTROL_ADMISSION_PREFIX_TRIE_H_

#include <array>
#include <cstdint>
#include <vector>

#include "control/admission/ip_address.h"

namespace weir::control {

// Several values may hang on one prefix. Immutable use is thread-safe; Insert is not.
class PrefixTrie {
 public:
  void Insert(const IpPrefix& prefix, uint32_t value);

  // Calls visit(value) for each prefix that contains the address, shortest prefix first.
  template <typename Visitor>
  void Lookup(const IpAddress& address, Visitor visit) const {
    uint32_t at = Root(address);
    for (int bit = 0;; ++bit) {
      for (uint32_t value : nodes_[at].values) visit(value);
      if (bit == address.bits()) return;
      at = nodes_[at].child[address.Bit(bit)];
      if (at == kNone) return;
    }
  }

 private:
  static constexpr uint32_t kNone = 0;  // The root of IPv4 is nobody's child.
  struct Node {
    std::array<uint32_t, 2> child{kNone, kNone};
    std::vector<uint32_t> values;
  };

  static uint32_t Root(const IpAddress& address) { return address.version() == 4 ? 0 : 1; }

  std::vector<Node> nodes_{2};  // 0: IPv4, 1: IPv6.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_PREFIX_TRIE_H_
