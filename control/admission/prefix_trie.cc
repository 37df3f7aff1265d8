#include "control/admission/prefix_trie.h"

#include <algorithm>

namespace weir::control {

uint32_t PrefixTrie::AddNode(const IpPrefix& prefix) {
  nodes_.push_back({.prefix = prefix});
  return static_cast<uint32_t>(nodes_.size() - 1);
}

void PrefixTrie::AddValue(uint32_t at, uint32_t value) {
  values_.push_back({value, nodes_[at].values});
  nodes_[at].values = static_cast<uint32_t>(values_.size() - 1);
}

void PrefixTrie::Insert(const IpPrefix& prefix, uint32_t value) {
  uint32_t at = Root(prefix.address);
  // Invariant: the node's prefix contains the new one.
  while (nodes_[at].prefix.length < prefix.length) {
    const bool side = prefix.address.Bit(nodes_[at].prefix.length);
    const uint32_t child = nodes_[at].child[side];
    if (child == kNone) {
      const uint32_t leaf = AddNode(prefix);
      nodes_[at].child[side] = leaf;
      at = leaf;
      break;
    }
    const IpPrefix below = nodes_[child].prefix;
    const int common =
        std::min({prefix.address.CommonBits(below.address), prefix.length, below.length});
    if (common < below.length) {
      // A node in between: of the new prefix, or where the two part.
      const uint32_t fork = AddNode({prefix.address.Masked(common), common});
      nodes_[fork].child[below.address.Bit(common)] = child;
      nodes_[at].child[side] = fork;
      at = fork;
    } else {
      at = child;
    }
  }
  AddValue(at, value);
}

uint32_t PrefixTrie::FirstWithin(const IpPrefix& prefix) const {
  uint32_t at = Root(prefix.address);
  while (at != kNone && nodes_[at].prefix.length < prefix.length) {
    if (!nodes_[at].prefix.Contains(prefix.address)) return kNone;
    at = nodes_[at].child[prefix.address.Bit(nodes_[at].prefix.length)];
  }
  return at != kNone && prefix.Covers(nodes_[at].prefix) ? at : kNone;
}

// Every address of the node's prefix is in a prefix with a value.
bool PrefixTrie::IsFull(uint32_t at) const {
  const Node& node = nodes_[at];
  if (node.values != kNone) return true;
  return std::all_of(node.child.begin(), node.child.end(), [&](uint32_t child) {
    return child != kNone && nodes_[child].prefix.length == node.prefix.length + 1 && IsFull(child);
  });
}

bool PrefixTrie::CoversAll(const IpPrefix& prefix) const {
  bool covered = false;
  const auto note = [&](uint32_t) { covered = true; };
  LookUpTo(prefix.address, prefix.length, note);
  if (covered) return true;
  const uint32_t top = FirstWithin(prefix);
  return top != kNone && nodes_[top].prefix.length == prefix.length && IsFull(top);
}

}  // namespace weir::control
