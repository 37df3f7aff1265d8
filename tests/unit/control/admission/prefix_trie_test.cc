#include "control/admission/prefix_trie.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace weir::control {
namespace {

std::vector<uint32_t> Find(const PrefixTrie& trie, const IpAddress& address) {
  std::vector<uint32_t> values;
  trie.Lookup(address, [&](uint32_t value) { values.push_back(value); });
  return values;
}

TEST(PrefixTrieTest, FindsShortestFirstAndKeepsFamiliesApart) {
  PrefixTrie trie;
  trie.Insert(*IpPrefix::Parse("192.0.2.7/32"), 3);
  trie.Insert(*IpPrefix::Parse("0.0.0.0/0"), 1);
  trie.Insert(*IpPrefix::Parse("192.0.2.0/24"), 2);
  trie.Insert(*IpPrefix::Parse("192.0.2.0/24"), 9);
  trie.Insert(*IpPrefix::Parse("::/0"), 4);
  // Values of one prefix: the newest first.
  EXPECT_EQ(Find(trie, *IpAddress::Parse("192.0.2.7")), (std::vector<uint32_t>{1, 9, 2, 3}));
  EXPECT_EQ(Find(trie, *IpAddress::Parse("192.0.3.7")), (std::vector<uint32_t>{1}));
  EXPECT_EQ(Find(trie, *IpAddress::Parse("c000:207::")), (std::vector<uint32_t>{4}));
}

// Against the definition: a linear scan of all prefixes.
TEST(PrefixTrieTest, AgreesWithLinearScan) {
  std::mt19937 random(1);
  const auto address = [&](bool v6) {
    std::string text;
    if (v6) {
      // Few distinct bits, so that prefixes nest.
      for (int i = 0; i < 8; ++i) text += (i ? ":" : "") + std::to_string(random() % 2);
    } else {
      for (int i = 0; i < 4; ++i) text += (i ? "." : "") + std::to_string(random() % 4);
    }
    return *IpAddress::Parse(text);
  };
  PrefixTrie trie;
  std::vector<IpPrefix> prefixes;
  for (uint32_t i = 0; i < 400; ++i) {
    const IpAddress base = address(i % 2);
    const int length = static_cast<int>(random() % (base.bits() + 1));
    prefixes.push_back({base.Masked(length), length});
    trie.Insert(prefixes.back(), i);
  }
  for (int i = 0; i < 2000; ++i) {
    const IpAddress probe = address(i % 2);
    std::vector<uint32_t> expected;
    for (uint32_t k = 0; k < prefixes.size(); ++k) {
      if (prefixes[k].Contains(probe)) expected.push_back(k);
    }
    std::vector<uint32_t> found = Find(trie, probe);
    std::sort(found.begin(), found.end());
    ASSERT_EQ(found, expected) << probe.ToString();

    const IpPrefix area{probe.Masked(static_cast<int>(i % probe.bits())), i % probe.bits()};
    expected.clear();
    for (uint32_t k = 0; k < prefixes.size(); ++k) {
      if (prefixes[k].Covers(area) || area.Covers(prefixes[k])) expected.push_back(k);
    }
    found.clear();
    trie.VisitOverlaps(area, [&](uint32_t value) { found.push_back(value); });
    std::sort(found.begin(), found.end());
    ASSERT_EQ(found, expected) << area.ToString();
  }
  EXPECT_LE(trie.nodes(), 2 + 2 * prefixes.size()) << "paths without a fork cost nothing";
}

TEST(PrefixTrieTest, HalvesCoverTheWhole) {
  PrefixTrie trie;
  const IpPrefix whole = *IpPrefix::Parse("192.0.2.0/24");
  trie.Insert(*IpPrefix::Parse("192.0.2.0/25"), 1);
  EXPECT_FALSE(trie.CoversAll(whole));
  trie.Insert(*IpPrefix::Parse("192.0.2.128/26"), 2);
  EXPECT_FALSE(trie.CoversAll(whole));
  EXPECT_TRUE(trie.CoversAll(*IpPrefix::Parse("192.0.2.64/26")));
  trie.Insert(*IpPrefix::Parse("192.0.2.192/26"), 3);
  EXPECT_TRUE(trie.CoversAll(whole));
  EXPECT_FALSE(trie.CoversAll(*IpPrefix::Parse("192.0.2.0/23")));
  EXPECT_FALSE(trie.CoversAll(*IpPrefix::Parse("2001:db8::/32")));
}

}  // namespace
}  // namespace weir::control
