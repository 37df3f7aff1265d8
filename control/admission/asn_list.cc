#include "control/admission/asn_list.h"

#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace weir::control {

absl::StatusOr<AsnList> AsnList::Parse(const std::string& path, const std::string& text) {
  AsnList list;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view content = line.substr(0, line.find('#'));
    const std::vector<absl::string_view> words =
        absl::StrSplit(content, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty()) continue;
    const auto fault = [&](const auto&... what) {
      return absl::InvalidArgumentError(absl::StrCat(path, ":", number, ": ", what...));
    };
    if (words.size() != 2) {
      return fault("expected a prefix and an AS number, like 192.0.2.0/24 64500");
    }
    const auto prefix = IpPrefix::Parse({words[0].data(), words[0].size()});
    if (!prefix.ok()) return fault(std::string(prefix.status().message()));
    uint32_t asn = 0;
    if (!absl::SimpleAtoi(words[1], &asn) || asn == 0) {
      return fault("\"", words[1], "\" is no AS number; allowed: 1 to 4294967295");
    }
    list.prefixes_.Insert(*prefix, asn);
  }
  return list;
}

uint32_t AsnList::Find(const IpAddress& address) const {
  uint32_t longest = 0;
  prefixes_.Lookup(address, [&](uint32_t asn) { longest = asn; });  // Shortest first.
  return longest;
}

}  // namespace weir::control
