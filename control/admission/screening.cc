#include "control/admission/screening.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "control/admission/ip_address.h"
#include "control/admission/label.h"
#include "control/admission/signs.h"

namespace weir::control {
namespace {

constexpr size_t kShortestMac = sizeof("aabb.ccdd.eeff") - 1;
constexpr size_t kLongestMac = sizeof("aa:bb:cc:dd:ee:ff:00:11") - 1;
constexpr uint32_t kFewestMacDigits = 12;
constexpr uint32_t kFewestPhoneDigits = 7;
constexpr uint32_t kMostPhoneDigits = 15;  // E.164.

// Calls visit(place) for each place of the character; stops when it says so.
template <typename Visit>
bool AnyPlace(std::string_view text, char c, Visit visit) {
  for (size_t at = text.find(c); at != std::string_view::npos; at = text.find(c, at + 1)) {
    if (visit(at)) return true;
  }
  return false;
}

bool IsEmail(std::string_view text) {
  return AnyPlace(text, '@', [&](size_t at) {
    // "a@b" names a mailbox of a host as much as "a@b.example" does.
    return at > 0 && at + 1 < text.size() &&
           !std::isspace(static_cast<unsigned char>(text[at - 1])) && IsAlnum(text[at + 1]);
  });
}

// `lower` has no upper-case letters.
bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char c, char l) { return (IsAlpha(c) ? c | 0x20 : c) == l; });
}

bool IsUrl(std::string_view text) {
  const auto ends_at = [&](size_t at, std::string_view mark) {
    const size_t end = at + 1;
    return end >= mark.size() &&
           EqualsIgnoringCase(text.substr(end - mark.size(), mark.size()), mark);
  };
  return AnyPlace(text, '.', [&](size_t at) { return ends_at(at, "www."); }) ||
         AnyPlace(text, ':', [&](size_t at) {
           return text.substr(at).starts_with("://") || ends_at(at, "mailto:") ||
                  ends_at(at, "data:");
         });
}

// By a character's value, whether it belongs.
using CharSet = std::array<bool, 256>;
template <typename Belongs>
constexpr CharSet MakeCharSet(Belongs belongs) {
  CharSet set{};
  for (size_t byte = 0; byte < set.size(); ++byte) set[byte] = belongs(static_cast<char>(byte));
  return set;
}

constexpr CharSet kInAddress =
    MakeCharSet([](char c) { return IsAlnum(c) || c == ':' || c == '.'; });
constexpr CharSet kInMac =
    MakeCharSet([](char c) { return IsAlnum(c) || c == ':' || c == '.' || c == '-'; });
constexpr CharSet kInPhone = MakeCharSet([](char c) {
  return IsDigit(c) || c == ' ' || c == '+' || (c >= '(' && c <= ')') || (c >= '-' && c <= '/');
});

// Calls visit(run) for each maximal run of characters in the set; stops when it says so.
template <typename Visit>
bool AnyRun(std::string_view text, const CharSet& set, Visit visit) {
  const auto belongs = [&](char c) { return set[static_cast<unsigned char>(c)]; };
  for (auto end = text.begin();;) {
    const auto begin = std::find_if(end, text.end(), belongs);
    if (begin == text.end()) return false;
    end = std::find_if_not(begin, text.end(), belongs);
    if (visit(std::string_view(begin, end))) return true;
  }
}

// aa:bb:cc:dd:ee:ff, aa-bb-..., aabb.ccdd.eeff; also of eight bytes (EUI-64).
bool IsMac(std::string_view word) {
  while (!word.empty() && !IsAlnum(word.back())) word.remove_suffix(1);
  if (word.size() < kShortestMac || word.size() > kLongestMac) return false;
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
  uint32_t digits = 0;
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
  return number.front() == '+' || number.front() == '(' || digits != number.size();
}

// What letters touch belongs to a word ("v1.2", "018f-4e"), not to a number.
bool HasPhone(std::string_view text) {
  return AnyRun(text, kInPhone, [&](std::string_view run) {
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

const char* FindShape(std::string_view text, const Signs& signs) {
  const uint64_t dots = signs[Signs::kDot], colons = signs[Signs::kColon];
  if (signs.Has(Signs::kAt) && IsEmail(text)) return "an e-mail address";
  if (dots + colons > 0 && IsUrl(text)) return "a URL";
  if (signs[Signs::kHex] >= kFewestMacDigits && AnyRun(text, kInMac, IsMac)) return "a MAC address";
  if ((dots >= 3 || colons >= 2) && AnyRun(text, kInAddress, IsAddress)) return "an IP address";
  if (signs[Signs::kDigit] >= kFewestPhoneDigits && HasPhone(text)) return "a telephone number";
  return nullptr;
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

const char* FindShapeOrHidden(std::string_view text, const Signs& signs) {
  const char* shape = FindShape(text, signs);
  if (shape != nullptr || !signs.Has(Signs::kPercent)) return shape;
  const std::string decoded = PercentDecoded(text);
  return FindShape(decoded, Signs(decoded));
}

}  // namespace

const char* FindPersonalShape(std::string_view text) {
  return FindShapeOrHidden(text, Signs(text));
}

std::optional<std::string> FindMetadataFault(
    const google::protobuf::RepeatedPtrField<record::v1::Metadata>& metadata) {
  if (metadata.size() > kMaxMetadataKeys) {
    return absl::StrCat(metadata.size(), " keys; at most ", kMaxMetadataKeys);
  }
  std::array<std::string_view, kMaxMetadataKeys> keys;
  auto end = keys.begin();
  uint64_t endings = 0;  // A bit for each length and last character: few keys have both in common.
  for (const record::v1::Metadata& entry : metadata) {
    // A key that is no label may itself be personal, so it is not repeated.
    const Signs in_key(entry.key()), in_value(entry.value());
    if (!IsLabel(entry.key(), in_key)) return absl::StrCat("a key; allowed: ", kLabelForm);
    const auto fault = [&](const auto&... what) {
      return absl::StrCat("\"", entry.key(), "\": ", what...);
    };
    const uint64_t ending = uint64_t{1} << (entry.key().size() * 5 + entry.key().back()) % 64;
    if ((endings & ending) != 0 && std::find(keys.begin(), end, entry.key()) != end) {
      return fault("is there twice");
    }
    endings |= ending;
    *end++ = entry.key();
    const std::string& value = entry.value();
    if (value.size() > kMaxMetadataValueBytes) {
      return fault(value.size(), " bytes; at most ", kMaxMetadataValueBytes);
    }
    if (in_value.Has(Signs::kUnprintable)) return fault("printable ASCII only");
    const char* shape = FindShapeOrHidden(entry.key(), in_key);
    if (shape == nullptr) shape = FindShapeOrHidden(value, in_value);
    if (shape != nullptr) {
      return fault("has the shape of ", shape, "; it would be published: leave personal data out");
    }
  }
  return std::nullopt;
}

}  // namespace weir::control
