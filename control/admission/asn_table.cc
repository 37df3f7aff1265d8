#include "control/admission/asn_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "control/config/text_proto.h"

namespace weir::control {

bool IsOf(const Origin* origin, uint32_t asn) {
  return origin != nullptr &&
         std::find(origin->numbers.begin(), origin->numbers.end(), asn) != origin->numbers.end();
}

absl::StatusOr<AsnTable> AsnTable::Load(const std::vector<std::string>& paths) {
  AsnTable table;
  for (const std::string& path : paths) {
    const auto text = ReadTextFile(path, kMaxFileBytes);
    if (!text.ok()) return text.status();
    if (absl::Status status = table.Add(path, *text); !status.ok()) return status;
  }
  return table;
}

absl::Status AsnTable::Add(const std::string& path, std::string_view text) {
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (absl::Status status = AddLine(line.substr(0, line.find('#'))); !status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", number, ": ", std::string(status.message())));
    }
  }
  return absl::OkStatus();
}

absl::Status AsnTable::AddLine(std::string_view line) {
  const std::vector<std::string> fields = absl::StrSplit(
      absl::string_view(line.data(), line.size()), absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  if (fields.empty()) return absl::OkStatus();
  if (fields.size() != 3) {
    return absl::InvalidArgumentError("not ADDRESS LENGTH ASN, as in \"192.0.2.0 24 64500\"");
  }
  const auto prefix = IpPrefix::Parse(absl::StrCat(fields[0], "/", fields[1]));
  if (!prefix.ok()) return prefix.status();
  const auto origin = OriginIndex(fields[2]);
  if (!origin.ok()) return origin.status();
  prefixes_.Insert(*prefix, *origin);
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> AsnTable::OriginIndex(const std::string& text) {
  if (const auto known = index_.find(text); known != index_.end()) return known->second;
  Origin origin{.name = absl::StrCat("AS", text), .numbers = {}};
  for (const absl::string_view number : absl::StrSplit(text, absl::ByAnyChar("_,"))) {
    uint32_t asn = 0;
    if (number.find_first_not_of("0123456789") != absl::string_view::npos ||
        !absl::SimpleAtoi(number, &asn) || asn == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", text,
          "\" is no AS number; allowed: 1 to 4294967295, several joined by '_' or ','"));
    }
    origin.numbers.push_back(asn);
  }
  origins_.push_back(std::move(origin));
  return index_[text] = static_cast<uint32_t>(origins_.size() - 1);
}

const Origin* AsnTable::Find(const IpPrefix& client) const {
  const Origin* longest = nullptr;
  prefixes_.Lookup(client, [&](uint32_t origin) { longest = &origins_[origin]; });
  return longest;
}

}  // namespace weir::control
