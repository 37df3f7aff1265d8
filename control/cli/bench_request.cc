#include "control/cli/bench_request.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "control/cli/units.h"
#include "wire/test_packet.h"

namespace weir::cli {
namespace {

constexpr char kStandardFrames[] = "64,128,256,512,1024,1280,1518";  // RFC 2544 section 9.1.
constexpr uint32_t kEthernetBytes = 14 + 4;                          // Header and FCS.
constexpr uint32_t kMaxIpBytes = 65535;

uint32_t FrameOverhead(int ip_version) { return kEthernetBytes + (ip_version == 4 ? 20 : 40) + 8; }

absl::Status BadFlag(const char* flag, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", what));
}

absl::Status BadFlag(const char* flag, const absl::Status& status) {
  return BadFlag(flag, std::string(status.message()));
}

// IP, IP:PORT, IPv6 or [IPv6]:PORT; whether it is an address is weir-control's to say.
absl::Status SplitPeer(const char* flag, const std::string& text, std::string* ip,
                       uint32_t* udp_port) {
  std::string port;
  if (!text.empty() && text[0] == '[') {
    const size_t end = text.find(']');
    *ip = text.substr(1, end == std::string::npos ? end : end - 1);
    const std::string rest = end == std::string::npos ? "?" : text.substr(end + 1);
    if (!rest.empty() && rest[0] != ':') return BadFlag(flag, "allowed: IP or IP:PORT");
    if (rest.empty()) return absl::OkStatus();
    port = rest.substr(1);
  } else {
    const size_t colon = text.find(':');
    const bool one = colon != std::string::npos && text.find(':', colon + 1) == std::string::npos;
    *ip = one ? text.substr(0, colon) : text;
    if (!one) return absl::OkStatus();
    port = text.substr(colon + 1);
  }
  if (!absl::SimpleAtoi(port, udp_port) || *udp_port == 0 || *udp_port > 65535) {
    return BadFlag(flag, absl::StrCat("\"", port, "\" is not a UDP port, 1 to 65535"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint32_t>> ParseFrames(const std::string& text, int ip_version) {
  const uint32_t least = FrameOverhead(ip_version) + wire::kMinUdpPayload;
  const uint32_t most = kMaxIpBytes + kEthernetBytes;
  std::vector<uint32_t> frames;
  for (const std::string& word :
       std::vector<std::string>(absl::StrSplit(text == "rfc2544" ? kStandardFrames : text, ','))) {
    uint32_t bytes = 0;
    if (!absl::SimpleAtoi(word, &bytes) || bytes < least || bytes > most) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", word, "\" is not a frame size; allowed: ", least, " to ", most,
                       " bytes with FCS on IPv", ip_version,
                       ", several with commas, or rfc2544 for ", kStandardFrames));
    }
    frames.push_back(bytes);
  }
  return frames;
}

absl::Status SetRate(const std::string& text, measurement::v1::BenchRequest* request) {
  if (text.ends_with("pps")) {
    const auto pps = ParsePacketRate(text);
    if (!pps.ok()) return pps.status();
    request->set_packets_per_second(*pps);
    return absl::OkStatus();
  }
  if (text.ends_with("%")) {
    double percent = 0;
    if (!absl::SimpleAtod(text.substr(0, text.size() - 1), &percent) || !(percent > 0) ||
        percent > 100) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", text, "\" is not a share of the line; allowed: above 0% to 100%"));
    }
    request->set_line_share(percent / 100);
    return absl::OkStatus();
  }
  const auto rate = ParseRate(text);
  if (!rate.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(rate.status().message(),
                                                   "; or packets/s like 1Mpps, or a share of the "
                                                   "line like 50%"));
  }
  request->mutable_parameters()->set_rate_bps(rate->bps);
  request->mutable_parameters()->set_rate_max(rate->max);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<BenchTrial>> MakeBenchTrials(const BenchOptions& options, BenchEnd end) {
  const bool generate = end == BenchEnd::kGenerate;
  const char* peer_flag = generate ? "--to" : "--from";
  measurement::v1::BenchRequest request;
  request.set_port(options.port);
  uint32_t udp_port = options.udp_port;
  std::string ip;
  if (absl::Status status = SplitPeer(peer_flag, options.peer, &ip, &udp_port); !status.ok()) {
    return status;
  }
  if (!generate && udp_port != options.udp_port) {
    return BadFlag("--from", "an address alone; the sink's own port is --udp-port");
  }
  if (udp_port > 65535) return BadFlag("--udp-port", "allowed: 1 to 65535");
  request.set_peer_ip(ip);
  request.set_peer_mac(options.mac);
  request.set_udp_port(udp_port);
  if (options.key.empty()) return BadFlag("--key", "must not be empty");
  request.set_key(options.key);
  request.set_experiment(options.experiment);
  request.set_purpose(options.purpose.empty() ? (generate ? "generate" : "sink") : options.purpose);
  request.set_clocks_synchronised(options.clocks_synchronised);

  if (options.ip != 4 && options.ip != 6) {
    return BadFlag("--ip", absl::StrCat(options.ip, "; allowed: 4, 6"));
  }
  const int ip_version = ip.empty() ? options.ip : ip.find(':') != std::string::npos ? 6 : 4;
  record::v1::TestParameters* parameters = request.mutable_parameters();
  parameters->set_ip_version(static_cast<uint32_t>(ip_version));
  if (!options.rate.empty() && IsRamp(options.pacing)) {
    return BadFlag("--rate",
                   "a ramp has its rates in --pacing ramp:FROM-TO; leave one of them out");
  }
  const std::string rate = !options.rate.empty() ? options.rate : generate ? "100M" : "max";
  if (absl::Status status = SetRate(rate, &request); !status.ok()) {
    return BadFlag("--rate", status);
  }
  if (absl::Status status = ParsePacing(options.pacing, parameters); !status.ok()) {
    return BadFlag("--pacing", status);
  }
  if (parameters->pacing() != record::v1::CBR && parameters->rate_max()) {
    return BadFlag("--pacing", "needs a rate to keep; give --rate, or leave the pacing at cbr");
  }
  if (!options.count.empty()) {
    const auto count = ParseCount(options.count);
    if (!count.ok()) return BadFlag("--count", count.status());
    parameters->set_packets(*count);
  }
  const std::string duration = !options.duration.empty() ? options.duration
                               : !generate               ? "60s"
                               : options.count.empty()   ? "10s"
                                                         : "10m";
  const auto duration_ns = ParseDurationNs(duration);
  if (!duration_ns.ok()) return BadFlag("--duration", duration_ns.status());
  parameters->set_duration_ns(*duration_ns);
  if (options.streams == 0) return BadFlag("--streams", "must be at least 1");
  parameters->set_streams(options.streams);
  if (options.dscp > 63) return BadFlag("--dscp", absl::StrCat(options.dscp, "; allowed: 0 to 63"));
  parameters->set_dscp(options.dscp);

  std::vector<BenchTrial> trials;
  const auto add = [&](uint32_t frame_bytes, const std::vector<record::v1::PayloadSize>& payload) {
    BenchTrial& trial = trials.emplace_back(BenchTrial{frame_bytes, request});
    trial.request.set_trial(static_cast<uint32_t>(trials.size() - 1));
    *trial.request.mutable_parameters()->mutable_payload() = {payload.begin(), payload.end()};
  };
  const uint32_t overhead = FrameOverhead(ip_version);
  if (!options.frame.empty()) {
    if (!options.payload.empty())
      return BadFlag("--frame", "means the same as --payload; give one");
    if (options.trials != 1) return BadFlag("--trials", "--frame tells how many; give one of them");
    const auto frames = ParseFrames(options.frame, ip_version);
    if (!frames.ok()) return BadFlag("--frame", frames.status());
    for (const uint32_t bytes : *frames) {
      record::v1::PayloadSize size;
      size.set_udp_payload_bytes(bytes - overhead);
      size.set_weight(1);
      add(bytes, {size});
    }
    return trials;
  }
  // A sink that was not told a size takes all; the smallest is what it may have to count.
  const std::string payload = !options.payload.empty() ? options.payload
                              : generate               ? absl::StrCat(DefaultPayload(ip_version))
                                                       : absl::StrCat(wire::kMinUdpPayload);
  const auto sizes = ParsePayload(payload, ip_version);
  if (!sizes.ok()) return BadFlag("--payload", sizes.status());
  if (options.trials == 0) return BadFlag("--trials", "must be at least 1");
  const bool told = generate || !options.payload.empty();
  for (uint32_t i = 0; i < options.trials; ++i) {
    add(told && sizes->size() == 1 ? (*sizes)[0].udp_payload_bytes() + overhead : 0, *sizes);
  }
  return trials;
}

}  // namespace weir::cli
