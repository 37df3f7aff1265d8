#include "control/cli/units.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "wire/test_packet.h"

namespace weir::cli {
namespace {

struct Unit {
  const char* name;
  double factor;
};

constexpr std::array<Unit, 6> kRateUnits{
    {{"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}}};
constexpr std::array<Unit, 5> kTimeUnits{
    {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"m", 60e9}, {"h", 3600e9}}};

constexpr uint32_t kEthernet = 14 + 4;  // Header and FCS.

uint32_t IpUdpHeaders(int ip_version) { return (ip_version == 4 ? 20 : 40) + 8; }

// A decimal number and a unit of the table; the value in the table's base unit.
template <size_t N>
bool ParseWithUnit(std::string_view text, const std::array<Unit, N>& units, double* value) {
  const size_t digits = text.find_first_not_of("0123456789.");
  const std::string number(text.substr(0, digits));
  const std::string_view name = digits == std::string_view::npos ? "" : text.substr(digits);
  if (number.empty() || !absl::SimpleAtod(number, value)) return false;
  for (const Unit& unit : units) {
    if (name == unit.name) {
      *value *= unit.factor;
      return std::isfinite(*value) && *value < 1e18;
    }
  }
  return false;
}

std::string Quoted(std::string_view text) { return absl::StrCat("\"", std::string(text), "\""); }

constexpr char kRamp[] = "ramp:";

// FROM-TO.
absl::Status ParseRamp(std::string_view text, record::v1::TestParameters* parameters) {
  const size_t dash = text.find('-');
  const std::string_view from_text = text.substr(0, dash);
  const auto to = ParseRate(dash == std::string_view::npos ? "" : text.substr(dash + 1));
  const auto from = from_text == "0" ? Rate{} : ParseRate(from_text);
  if (!from.ok() || !to.ok() || from->max || to->max || from->bps > to->bps) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(absl::StrCat(kRamp, std::string(text))),
                     "; a ramp is two rates and grows: ramp:0-1G, ramp:100M-1G"));
  }
  parameters->set_pacing(record::v1::RAMP);
  parameters->set_ramp_start_bps(from->bps);
  parameters->set_rate_bps(to->bps);
  parameters->set_rate_max(false);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Rate> ParseRate(std::string_view text) {
  if (text == "max") return Rate{.bps = 0, .max = true};
  double bps = 0;
  if (!ParseWithUnit(text, kRateUnits, &bps)) {
    return absl::InvalidArgumentError(absl::StrCat(
        Quoted(text),
        " is not a rate; allowed: bit/s with k, M, G or T, e.g. 200M or 1.5G, or max"));
  }
  if (bps < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(text), " would send nothing; the rate must be above 0"));
  }
  return Rate{.bps = static_cast<uint64_t>(std::llround(bps)), .max = false};
}

absl::StatusOr<double> ParsePacketRate(std::string_view text) {
  double pps = 0;
  const size_t unit = text.rfind("pps");
  if (unit == std::string_view::npos || unit + 3 != text.size() ||
      !ParseWithUnit(text.substr(0, unit), kRateUnits, &pps) || pps <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(text),
                     " is not a packet rate; allowed: packets/s above 0 with k, M or G, e.g. "
                     "1Mpps or 500pps"));
  }
  return pps;
}

absl::StatusOr<uint64_t> ParseCount(std::string_view text) {
  double count = 0;
  if (!ParseWithUnit(text, kRateUnits, &count) || count < 1 || count != std::floor(count)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(text),
                     " is not a number of packets; allowed: a whole number above 0, with k, M or "
                     "G, e.g. 100000 or 1.5M"));
  }
  return static_cast<uint64_t>(count);
}

absl::StatusOr<uint64_t> ParseDurationNs(std::string_view text) {
  double ns = 0;
  if (!ParseWithUnit(text, kTimeUnits, &ns)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(text),
                     " is not a time; allowed: a number with us, ms, s, m or h, e.g. "
                     "10s, 500ms or 1m"));
  }
  if (ns < 1) return absl::InvalidArgumentError(absl::StrCat(Quoted(text), " must be above 0"));
  return static_cast<uint64_t>(std::llround(ns));
}

absl::StatusOr<std::vector<record::v1::PayloadSize>> ParsePayload(std::string_view text,
                                                                  int ip_version) {
  std::vector<record::v1::PayloadSize> sizes;
  const auto add = [&](uint32_t bytes, uint32_t weight) {
    record::v1::PayloadSize& size = sizes.emplace_back();
    size.set_udp_payload_bytes(bytes);
    size.set_weight(weight);
  };
  if (text == "imix") {
    for (const auto& [frame, weight] : {std::pair{64u, 7u}, {570u, 4u}, {1518u, 1u}}) {
      const uint32_t overhead = kEthernet + IpUdpHeaders(ip_version);
      const uint32_t payload = frame > overhead ? frame - overhead : 0;
      add(payload < wire::kMinUdpPayload ? wire::kMinUdpPayload : payload, weight);
    }
    return sizes;
  }
  const uint32_t most = 65535 - IpUdpHeaders(ip_version);
  uint32_t bytes = 0;
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos ||
      !absl::SimpleAtoi(std::string(text), &bytes) || bytes < wire::kMinUdpPayload ||
      bytes > most) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(text), " is not a UDP payload; allowed: ", wire::kMinUdpPayload,
                     " (the test packet itself) to ", most, " bytes, or imix"));
  }
  add(bytes, 1);
  return sizes;
}

uint32_t DefaultPayload(int ip_version) { return 1500 - IpUdpHeaders(ip_version); }

std::string FormatRate(double bps) {
  if (bps >= 1e9) return absl::StrFormat("%.3f Gbit/s", bps / 1e9);
  if (bps >= 1e6) return absl::StrFormat("%.3f Mbit/s", bps / 1e6);
  if (bps >= 1e3) return absl::StrFormat("%.3f kbit/s", bps / 1e3);
  return absl::StrFormat("%.0f bit/s", bps);
}

std::string FormatPacketRate(double pps) {
  if (pps >= 1e6) return absl::StrFormat("%.3f Mpps", pps / 1e6);
  if (pps >= 1e3) return absl::StrFormat("%.3f kpps", pps / 1e3);
  return absl::StrFormat("%.0f pps", pps);
}

std::string FormatDurationNs(double ns) {
  const double size = std::fabs(ns);
  if (size >= 1e9) return absl::StrFormat("%.3f s", ns / 1e9);
  if (size >= 1e6) return absl::StrFormat("%.3f ms", ns / 1e6);
  if (size >= 1e3) return absl::StrFormat("%.3f us", ns / 1e3);
  return absl::StrFormat("%.0f ns", ns);
}

std::string FormatCount(uint64_t count) {
  std::string digits = absl::StrCat(count);
  for (auto at = static_cast<ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<size_t>(at), 1, ',');
  }
  return digits;
}

std::string FormatPayload(const record::v1::TestParameters& parameters) {
  if (parameters.payload_size() == 1) {
    return absl::StrCat(parameters.payload(0).udp_payload_bytes(), " bytes");
  }
  std::string text = "mix ";
  for (int i = 0; i < parameters.payload_size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ":", parameters.payload(i).weight());
  }
  absl::StrAppend(&text, " of ");
  for (int i = 0; i < parameters.payload_size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : "/", parameters.payload(i).udp_payload_bytes());
  }
  absl::StrAppend(&text, " bytes");
  return text;
}

bool IsRamp(std::string_view pacing) { return pacing.starts_with(kRamp); }

double MeanRateBps(const record::v1::TestParameters& parameters) {
  const auto rate = static_cast<double>(parameters.rate_bps());
  if (parameters.pacing() != record::v1::RAMP) return rate;
  return (std::min(static_cast<double>(parameters.ramp_start_bps()), rate) + rate) / 2;
}

absl::Status ParsePacing(const std::string& text, record::v1::TestParameters* parameters) {
  constexpr std::string_view kBurst = "burst:";
  uint32_t packets = 0;
  if (IsRamp(text)) return ParseRamp(std::string_view(text).substr(sizeof(kRamp) - 1), parameters);
  if (text == "cbr") {
    parameters->set_pacing(record::v1::CBR);
  } else if (text == "poisson") {
    parameters->set_pacing(record::v1::POISSON);
  } else if (text.starts_with(kBurst) && absl::SimpleAtoi(text.substr(kBurst.size()), &packets) &&
             packets >= 2 && packets <= 1024) {
    parameters->set_pacing(record::v1::BURST);
    parameters->set_burst_packets(packets);
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", text,
        "\"; allowed: cbr, poisson, burst:N with N from 2 to 1024 packets, ramp:FROM-TO"));
  }
  return absl::OkStatus();
}

std::string FormatPacing(const record::v1::TestParameters& parameters) {
  switch (parameters.pacing()) {
    case record::v1::POISSON:
      return "poisson";
    case record::v1::BURST:
      return absl::StrCat("bursts of ", parameters.burst_packets());
    case record::v1::RAMP:
      return absl::StrCat("ramp from ",
                          FormatRate(static_cast<double>(parameters.ramp_start_bps())));
    default:
      return "cbr";
  }
}

}  // namespace weir::cli
