#include "control/export/asn_table.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "control/admission/ip_address.h"
#include "control/config/text_proto.h"

namespace weir::control {
namespace {

constexpr size_t kMaxFileBytes = size_t{256} << 20;

bool IsOrigin(std::string_view text) {
  return !text.empty() && absl::ascii_isdigit(static_cast<unsigned char>(text.front())) &&
         text.find_first_not_of("0123456789_,") == std::string_view::npos;
}

}  // namespace

absl::StatusOr<AsnTable> AsnTable::Load(const std::vector<std::string>& paths) {
  AsnTable table;
  for (const std::string& path : paths) {
    const auto text = ReadTextFile(path, kMaxFileBytes);
    if (!text.ok()) return text.status();
    int number = 0;
    for (const absl::string_view piece : absl::StrSplit(*text, '\n')) {
      const std::string_view line(piece.data(), piece.size());
      ++number;
      if (line.find_first_not_of(" \t\r") == std::string_view::npos || line.front() == '#')
        continue;
      if (absl::Status status = table.Add(line); !status.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ":", number, ": ", std::string(status.message())));
      }
    }
  }
  return table;
}

absl::Status AsnTable::Add(std::string_view line) {
  const std::vector<std::string> fields =
      absl::StrSplit(std::string(line), absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  if (fields.size() != 3 || !IsOrigin(fields[2])) {
    return absl::InvalidArgumentError("not ADDRESS LENGTH ASN, as in \"192.0.2.0 24 64500\"");
  }
  const auto prefix = IpPrefix::Parse(absl::StrCat(fields[0], "/", fields[1]));
  if (!prefix.ok()) return prefix.status();
  const std::string name = absl::StrCat("AS", fields[2]);
  const auto [origin, added] = origin_index_.emplace(name, static_cast<uint32_t>(origins_.size()));
  if (added) origins_.push_back(name);
  prefixes_.Insert(*prefix, static_cast<uint32_t>(entries_.size()));
  entries_.push_back({.length = prefix->length, .origin = origin->second});
  return absl::OkStatus();
}

std::string AsnTable::Find(std::string_view client) const {
  const auto prefix = IpPrefix::Parse(client);
  if (!prefix.ok()) return "";
  const Entry* found = nullptr;
  prefixes_.Lookup(prefix->address, [&](uint32_t index) {
    if (entries_[index].length <= prefix->length) found = &entries_[index];
  });
  return found == nullptr ? "" : origins_[found->origin];
}

}  // namespace weir::control
