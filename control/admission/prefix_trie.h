// Path-compressed binary trie (Morrison's PATRICIA) from IP prefixes to small integers.
#ifndef WEIR_CONTROL_ADMISSION_PREFIX_TRIE_H_
#define WEIR_CONTROL_ADMISSION_PREFIX_TRIE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "control/admission/ip_address.h"

namespace weir::control {

// Several values may hang on one prefix. A prefix costs at most two nodes of 40 bytes and one
// value of 8, and a lookup at most as many steps as prefixes contain the address. Immutable use is
// thread-safe; Insert is not.
class PrefixTrie {
 public:
  void Insert(const IpPrefix& prefix, uint32_t value);

  // Calls visit(value) for each prefix that contains the address, shortest prefix first.
  template <typename Visitor>
  void Lookup(const IpAddress& address, Visitor visit) const {
    LookUpTo(address, address.bits(), visit);
  }

  // Likewise for each prefix that contains all of this one.
  template <typename Visitor>
  void Lookup(const IpPrefix& prefix, Visitor visit) const {
    LookUpTo(prefix.address, prefix.length, visit);
  }

  // Calls visit(value) for each prefix that has an address in common with this one.
  template <typename Visitor>
  void VisitOverlaps(const IpPrefix& prefix, Visitor visit) const {
    LookUpTo(prefix.address, prefix.length - 1, visit);
    if (const uint32_t top = FirstWithin(prefix); top != kNone) VisitSubtree(top, visit);
  }

  // True if the prefixes together hold every address of this one.
  bool CoversAll(const IpPrefix& prefix) const;

  size_t nodes() const { return nodes_.size(); }

 private:
  static constexpr uint32_t kNone = 0xFFFFFFFF;
  struct Node {
    IpPrefix prefix;
    std::array<uint32_t, 2> child{kNone, kNone};
    uint32_t values = kNone;  // Newest first.
  };
  struct Value {
    uint32_t value;
    uint32_t next;
  };

  static uint32_t Root(const IpAddress& address) { return address.version() == 4 ? 0 : 1; }

  // Of the prefixes no longer than `length` that contain the address.
  template <typename Visitor>
  void LookUpTo(const IpAddress& address, int length, Visitor& visit) const {
    for (uint32_t at = Root(address); at != kNone;) {
      const Node& node = nodes_[at];
      if (node.prefix.length > length || !node.prefix.Contains(address)) return;
      VisitValues(node, visit);
      if (node.prefix.length == address.bits()) return;
      at = node.child[address.Bit(node.prefix.length)];
    }
  }
  template <typename Visitor>
  void VisitValues(const Node& node, Visitor& visit) const {
    for (uint32_t at = node.values; at != kNone; at = values_[at].next) visit(values_[at].value);
  }
  template <typename Visitor>
  void VisitSubtree(uint32_t at, Visitor& visit) const {
    VisitValues(nodes_[at], visit);
    for (const uint32_t child : nodes_[at].child) {
      if (child != kNone) VisitSubtree(child, visit);
    }
  }

  // The topmost node that lies in the prefix, or kNone.
  uint32_t FirstWithin(const IpPrefix& prefix) const;
  bool IsFull(uint32_t at) const;
  uint32_t AddNode(const IpPrefix& prefix);
  void AddValue(uint32_t at, uint32_t value);

  std::vector<Node> nodes_{{.prefix = *IpPrefix::Parse("0.0.0.0/0")},
                           {.prefix = *IpPrefix::Parse("::/0")}};
  std::vector<Value> values_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_PREFIX_TRIE_H_
