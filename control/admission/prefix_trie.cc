#include "control/admission/prefix_trie.h"

namespace weir::control {

void PrefixTrie::Insert(const IpPrefix& prefix, uint32_t value) {
  uint32_t at = Root(prefix.address);
  for (int bit = 0; bit < prefix.length; ++bit) {
    const bool side = prefix.address.Bit(bit);
    if (nodes_[at].child[side] == kNone) {
      const auto added = static_cast<uint32_t>(nodes_.size());
      nodes_.emplace_back();
      nodes_[at].child[side] = added;
    }
    at = nodes_[at].child[side];
  }
  nodes_[at].values.push_back(value);
}

}  // namespace weir::control
