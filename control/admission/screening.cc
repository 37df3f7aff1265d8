#include "control/admission/screening.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "absl/strings/str_cat.h"
#include "control/admission/ip_address.h"
#include "control/admission/label.h"

namespace weir::control {
namespace {

bool IsAlnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
bool IsHex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsEmail(std::string_view text) {
  for (size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    // "a@b" names a mailbox of a host as much as "a@b.example" does.
    if (at > 0 && at + 1 < text.size() && !std::isspace(static_cast<unsigned char>(text[at - 1])) &&
        IsAlnum(text[at + 1])) {
      return true;
    }
  }
  return false;
}

bool IsUrl(std::string_view text) {
  constexpr std::array<std::string_view, 4> kMarks{"://", "www.", "mailto:", "data:"};
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::any_of(kMarks.begin(), kMarks.end(),
                     [&](std::string_view mark) { return lower.find(mark) != std::string::npos; });
}

// Calls visit(word) for each maximal run of characters that `belongs`; stops when it says so.
template <typename Belongs, typename Visit>
bool AnyRun(std::string_view text, Belongs belongs, Visit visit) {
  for (size_t at = 0; at < text.size();) {
    if (!belongs(text[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && belongs(text[end])) ++end;
    if (visit(text.substr(at, end - at))) return true;
    at = end;
  }
  return false;
}

// aa:bb:cc:dd:ee:ff, aa-bb-..., aabb.ccdd.eeff; also of eight bytes (EUI-64).
bool IsMac(std::string_view word) {
  while (!word.empty() && !IsAlnum(word.back())) word.remove_suffix(1);
  size_t digits = 0, group = 0, shortest = 9, longest = 0, groups = 1;
  char separator = 0;
  for (const char c : word) {
    if (IsHex(c)) {
      ++digits;
      ++group;
      continue;
    }
    if (separator != 0 && c != separator) return false;
    separator = c;
    shortest = std::min(shortest, group);
    longest = std::max(longest, group);
    group = 0;
    ++groups;
  }
  shortest = std::min(shortest, group);
  longest = std::max(longest, group);
  if (separator == 0 || shortest != longest) return false;
  return (shortest == 2 && (groups == 6 || groups == 8)) ||
         (shortest == 4 && (groups == 3 || groups == 4) && separator != '-');
}

bool IsAddress(std::string_view word) {
  while (!word.empty() && (word.back() == '.' || (word.back() == ':' && !word.ends_with("::")))) {
    word.remove_suffix(1);
  }
  // Of a prefix, the address.
  return word.find_first_of(".:") != std::string_view::npos && IpAddress::Parse(word).has_value();
}

// Seven to fifteen digits (E.164) that separators or a prefix say are dialled.
bool IsPhone(std::string_view number) {
  const size_t first = number.find_first_of("+(0123456789");
  const size_t last = number.find_last_of("0123456789");
  if (first == std::string_view::npos || last == std::string_view::npos || first > last) {
    return false;
  }
  number = number.substr(first, last - first + 1);
  // Dates (ISO 8601) are nobody's.
  if (number.size() >= 10 && number[4] == '-' && number[7] == '-' &&
      (number.size() == 10 || number[10] == ' ')) {
    return IsPhone(number.substr(10));
  }
  size_t digits = 0, group = 0, groups = 0;
  for (const char c : number) {
    if (IsDigit(c)) {
      ++digits;
      ++group;
    } else if (group > 0) {
      // Versions and decimals have groups of one digit, telephone numbers at most a first one.
      if (group == 1 && groups > 0) return false;
      ++groups;
      group = 0;
    }
  }
  if (digits < 7 || digits > 15 || (group == 1 && groups > 0)) return false;
  return number.front() == '+' || number.front() == '(' || digits != number.size();
}

// What letters touch belongs to a word ("v1.2", "018f-4e"), not to a number.
bool HasPhone(std::string_view text) {
  const auto belongs = [](char c) {
    return IsDigit(c) || std::string_view("+()-./ ").find(c) != std::string_view::npos;
  };
  return AnyRun(text, belongs, [&](std::string_view run) {
    const auto begin = static_cast<size_t>(run.data() - text.data());
    const size_t end = begin + run.size();
    if (begin > 0 && IsAlnum(text[begin - 1])) {
      run.remove_prefix(std::min(run.find(' '), run.size()));
    }
    if (end < text.size() && IsAlnum(text[end])) {
      const size_t space = run.rfind(' ');
      run = space == std::string_view::npos ? std::string_view() : run.substr(0, space);
    }
    return IsPhone(run);
  });
}

const char* FindShape(std::string_view text) {
  if (IsEmail(text)) return "an e-mail address";
  if (IsUrl(text)) return "a URL";
  const auto in_mac = [](char c) { return IsAlnum(c) || c == ':' || c == '-' || c == '.'; };
  if (AnyRun(text, in_mac, IsMac)) return "a MAC address";
  const auto in_address = [](char c) { return IsAlnum(c) || c == ':' || c == '.'; };
  if (AnyRun(text, in_address, IsAddress)) return "an IP address";
  return HasPhone(text) ? "a telephone number" : nullptr;
}

std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && IsHex(text[i + 1]) && IsHex(text[i + 2])) {
      decoded += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

}  // namespace

const char* FindPersonalShape(std::string_view text) {
  if (const char* shape = FindShape(text)) return shape;
  if (text.find('%') == std::string_view::npos) return nullptr;
  return FindShape(PercentDecoded(text));
}

std::optional<std::string> FindMetadataFault(
    const google::protobuf::RepeatedPtrField<record::v1::Metadata>& metadata) {
  if (metadata.size() > kMaxMetadataKeys) {
    return absl::StrCat(metadata.size(), " keys; at most ", kMaxMetadataKeys);
  }
  std::set<std::string_view> keys;
  for (const record::v1::Metadata& entry : metadata) {
    // A key that is no label may itself be personal, so it is not repeated.
    if (!IsLabel(entry.key())) return absl::StrCat("a key; allowed: ", kLabelForm);
    const std::string key = absl::StrCat("\"", entry.key(), "\": ");
    if (!keys.insert(entry.key()).second) return absl::StrCat(key, "is there twice");
    const std::string& value = entry.value();
    if (value.size() > kMaxMetadataValueBytes) {
      return absl::StrCat(key, value.size(), " bytes; at most ", kMaxMetadataValueBytes);
    }
    const bool plain = std::all_of(value.begin(), value.end(),
                                   [](unsigned char c) { return c >= 0x20 && c < 0x7F; });
    if (!plain) return absl::StrCat(key, "printable ASCII only");
    for (const std::string* text : {&entry.key(), &value}) {
      if (const char* shape = FindPersonalShape(*text)) {
        return absl::StrCat(key, "has the shape of ", shape,
                            "; it would be published: leave personal data out");
      }
    }
  }
  return std::nullopt;
}

}  // namespace weir::control
