#include "control/admission/screening.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/admission/ip_address.h"
#include "control/admission/label.h"

namespace weir::control {
namespace {

constexpr int kFewestMacDigits = 12;
constexpr int kFewestPhoneDigits = 7;
constexpr int kMostPhoneDigits = 15;  // E.164.

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlpha(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool IsAlnum(char c) { return IsDigit(c) || IsAlpha(c); }
bool IsHex(char c) { return IsDigit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

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

// `lower` has no upper-case letters.
bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char c, char l) { return (IsAlpha(c) ? c | 0x20 : c) == l; });
}

bool IsUrl(std::string_view text) {
  // Each ends in its own sign, which is rarer than its letters.
  constexpr std::array<std::string_view, 4> kMarks{"://", "www.", "mailto:", "data:"};
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '.' && text[at] != ':' && text[at] != '/') continue;
    const std::string_view before = text.substr(0, at + 1);
    for (const std::string_view mark : kMarks) {
      if (before.size() >= mark.size() &&
          EqualsIgnoringCase(before.substr(before.size() - mark.size()), mark)) {
        return true;
      }
    }
  }
  return false;
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

// As many digits as one has, that separators or a prefix say are dialled.
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
  int digits = 0;
  size_t group = 0, groups = 0;
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
  if (digits < kFewestPhoneDigits || digits > kMostPhoneDigits || (group == 1 && groups > 0))
    return false;
  return number.front() == '+' || number.front() == '(' ||
         static_cast<size_t>(digits) != number.size();
}

// What letters touch belongs to a word ("v1.2", "018f-4e"), not to a number.
bool HasPhone(std::string_view text) {
  const auto belongs = [](char c) {
    return IsDigit(c) || c == ' ' || c == '+' || (c >= '(' && c <= ')') || (c >= '-' && c <= '/');
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

// How many of each sign a text has: most have too few for most shapes.
struct Signs {
  int digits = 0, hex = 0, dots = 0, colons = 0, ats = 0;

  explicit Signs(std::string_view text) {
    for (const char c : text) {
      digits += IsDigit(c);
      hex += IsHex(c);
      dots += c == '.';
      colons += c == ':';
      ats += c == '@';
    }
  }
};

const char* FindShape(std::string_view text) {
  const Signs signs(text);
  const bool pointed = signs.dots + signs.colons > 0;
  if (signs.ats > 0 && IsEmail(text)) return "an e-mail address";
  if (pointed && IsUrl(text)) return "a URL";
  const auto in_mac = [](char c) { return IsAlnum(c) || c == ':' || c == '-' || c == '.'; };
  if (signs.hex >= kFewestMacDigits && AnyRun(text, in_mac, IsMac)) return "a MAC address";
  const auto in_address = [](char c) { return IsAlnum(c) || c == ':' || c == '.'; };
  if (pointed && AnyRun(text, in_address, IsAddress)) return "an IP address";
  return signs.digits >= kFewestPhoneDigits && HasPhone(text) ? "a telephone number" : nullptr;
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
  std::vector<std::string_view> keys;
  keys.reserve(static_cast<size_t>(metadata.size()));
  for (const record::v1::Metadata& entry : metadata) {
    // A key that is no label may itself be personal, so it is not repeated.
    if (!IsLabel(entry.key())) return absl::StrCat("a key; allowed: ", kLabelForm);
    const auto fault = [&](const auto&... what) {
      return absl::StrCat("\"", entry.key(), "\": ", what...);
    };
    if (std::find(keys.begin(), keys.end(), entry.key()) != keys.end()) {
      return fault("is there twice");
    }
    keys.push_back(entry.key());
    const std::string& value = entry.value();
    if (value.size() > kMaxMetadataValueBytes) {
      return fault(value.size(), " bytes; at most ", kMaxMetadataValueBytes);
    }
    const bool plain = std::all_of(value.begin(), value.end(),
                                   [](unsigned char c) { return c >= 0x20 && c < 0x7F; });
    if (!plain) return fault("printable ASCII only");
    for (const std::string* text : {&entry.key(), &value}) {
      if (const char* shape = FindPersonalShape(*text)) {
        return fault("has the shape of ", shape,
                     "; it would be published: leave personal data out");
      }
    }
  }
  return std::nullopt;
}

}  // namespace weir::control
