#include "control/cli/rfc2544/parameters.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "control/cli/units.h"
#include "wire/test_packet.h"

namespace weir::cli::rfc2544 {
namespace {

using measurement::v1::Rfc2544Parameters;
using measurement::v1::Rfc2544Test;

constexpr uint32_t kStandardFrames[] = {64, 128, 256, 512, 1024, 1280, 1518};  // Section 9.1.
constexpr uint32_t kLargestFrame = 65535 + 18;
constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kLongestTrialNs = 3600 * kSecond;
constexpr uint32_t kMostRepetitions = 1000;

struct NamedTest {
  const char* name;
  Rfc2544Test test;
};
constexpr NamedTest kTests[] = {{"throughput", measurement::v1::THROUGHPUT},
                                {"latency", measurement::v1::LATENCY},
                                {"loss", measurement::v1::FRAME_LOSS},
                                {"back-to-back", measurement::v1::BACK_TO_BACK}};

// The flag that sets a field.
const std::map<std::string, std::string>& Flags() {
  static const auto& flags =
      *new std::map<std::string, std::string>{{"out_port", "--out"},
                                              {"in_port", "--in"},
                                              {"tests", "--tests"},
                                              {"frame_bytes", "--frame"},
                                              {"ip_version", "--ip"},
                                              {"streams", "--streams"},
                                              {"dscp", "--dscp"},
                                              {"to_mac", "--to-mac"},
                                              {"line_bps", "--line-rate"},
                                              {"trial_ns", "--trial"},
                                              {"latency_trial_ns", "--latency-trial"},
                                              {"learning_ns", "--learning"},
                                              {"ramp_up_ns", "--ramp-up"},
                                              {"residual_ns", "--residual"},
                                              {"settle_ns", "--settle"},
                                              {"resolution", "--resolution"},
                                              {"acceptable_loss", "--loss"},
                                              {"repeat", "--repeat"},
                                              {"latency_trials", "--latency-trials"},
                                              {"loss_step", "--loss-step"},
                                              {"bursts", "--bursts"},
                                              {"longest_burst_ns", "--longest-burst"},
                                              {"burst_resolution", "--burst-resolution"},
                                              {"experiment", "--experiment"},
                                              {"purpose", "--purpose"}};
  return flags;
}

absl::Status Wrong(const char* flag, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", what));
}

Rfc2544Parameters Defaults() {
  Rfc2544Parameters parameters;
  for (const NamedTest& each : kTests) parameters.add_tests(each.test);
  parameters.set_ip_version(4);
  parameters.set_streams(1);
  parameters.set_trial_ns(60 * kSecond);  // RFC 2544 section 24.
  parameters.set_learning_ns(kSecond);
  parameters.set_ramp_up_ns(kSecond);
  parameters.set_residual_ns(2 * kSecond);  // Section 23.
  parameters.set_settle_ns(5 * kSecond);    // Section 23.
  parameters.set_resolution(0.001);
  parameters.set_repeat(1);
  parameters.set_latency_trials(20);  // Section 26.2.
  parameters.set_loss_step(0.1);
  parameters.set_bursts(50);  // Section 26.4.
  parameters.set_longest_burst_ns(2 * kSecond);
  parameters.set_burst_resolution(0.01);
  parameters.set_purpose("rfc2544");
  return parameters;
}

// Reads what was given into a field; the first fault is kept.
class Reader {
 public:
  const absl::Status& status() const { return status_; }

  template <typename Set>
  void Text(const std::string& text, Set set) {
    if (!text.empty()) set(text);
  }

  template <typename Set>
  void Duration(const char* flag, const std::string& text, Set set) {
    if (text.empty()) return;
    if (text == "0" || text == "0s") return set(0);  // Where 0 is allowed it means none.
    const auto ns = ParseDurationNs(text);
    if (!ns.ok()) return Fault(flag, std::string(ns.status().message()));
    set(*ns);
  }

  template <typename Set>
  void Share(const char* flag, const std::string& text, Set set) {
    if (text.empty()) return;
    double percent = 0;
    const std::string number = text.ends_with("%") ? text.substr(0, text.size() - 1) : text;
    if (!absl::SimpleAtod(number, &percent)) {
      return Fault(flag, absl::StrCat("\"", text, "\" is not a share; write it like 0.1%"));
    }
    set(percent / 100);
  }

  template <typename Set>
  void Number(const char* flag, const std::string& text, Set set) {
    if (text.empty()) return;
    uint32_t value = 0;
    if (!absl::SimpleAtoi(text, &value)) {
      return Fault(flag, absl::StrCat("\"", text, "\" is not a whole number from 0"));
    }
    set(value);
  }

  void Fault(const char* flag, const std::string& what) { status_.Update(Wrong(flag, what)); }

 private:
  absl::Status status_;
};

void ReadTests(const std::string& text, Reader* reader, Rfc2544Parameters* parameters) {
  if (text.empty()) return;
  parameters->clear_tests();
  const std::vector<std::string> words = absl::StrSplit(text, ',');
  for (const std::string& word : words) {
    const bool known = std::any_of(std::begin(kTests), std::end(kTests),
                                   [&](const NamedTest& each) { return word == each.name; });
    if (!known) {
      return reader->Fault("--tests",
                           absl::StrCat("\"", word,
                                        "\" is no test; allowed, several with commas: throughput, "
                                        "latency, loss, back-to-back"));
    }
  }
  // In the RFC's order, whatever the order they were named in.
  for (const NamedTest& each : kTests) {
    if (std::find(words.begin(), words.end(), each.name) != words.end()) {
      parameters->add_tests(each.test);
    }
  }
}

void ReadFrames(const std::string& text, Reader* reader, Rfc2544Parameters* parameters) {
  if (text.empty() && parameters->frame_bytes_size() != 0) return;
  parameters->clear_frame_bytes();
  if (text.empty() || text == "rfc2544") {
    const uint32_t least = LeastFrame(parameters->ip_version(), false);
    for (const uint32_t bytes : kStandardFrames) {
      parameters->add_frame_bytes(std::max(bytes, least));
    }
    return;
  }
  for (const std::string& word : std::vector<std::string>(absl::StrSplit(text, ','))) {
    uint32_t bytes = 0;
    if (!absl::SimpleAtoi(word, &bytes)) {
      return reader->Fault("--frame", absl::StrCat("\"", word,
                                                   "\" is not a frame size in bytes; several with "
                                                   "commas, or rfc2544 for the standard ones"));
    }
    parameters->add_frame_bytes(bytes);
  }
}

absl::Status CheckDuration(const char* flag, uint64_t ns, uint64_t least_ns, uint64_t most_ns) {
  if (ns >= least_ns && ns <= most_ns) return absl::OkStatus();
  return Wrong(flag, absl::StrCat(FormatDurationNs(static_cast<double>(ns)), "; allowed: ",
                                  least_ns == 0 ? std::string("0s (none)")
                                                : FormatDurationNs(static_cast<double>(least_ns)),
                                  " to ", FormatDurationNs(static_cast<double>(most_ns))));
}

absl::Status CheckNumber(const char* flag, uint32_t value, uint32_t least, uint32_t most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return Wrong(flag, absl::StrCat(value, "; allowed: ", least, " to ", most));
}

absl::Status CheckShare(const char* flag, double share, double least, double most) {
  if (share >= least && share <= most) return absl::OkStatus();  // Not so for NaN.
  return Wrong(
      flag, absl::StrFormat("%g%%; allowed: %g%% to %g%%", share * 100, least * 100, most * 100));
}

absl::Status CheckFrames(const Rfc2544Parameters& parameters) {
  const uint32_t least = LeastFrame(parameters.ip_version(), false);
  if (parameters.frame_bytes().empty()) return Wrong("--frame", "at least one size is needed");
  for (int i = 0; i < parameters.frame_bytes_size(); ++i) {
    const uint32_t bytes = parameters.frame_bytes(i);
    if (bytes < least || bytes > kLargestFrame) {
      return Wrong("--frame",
                   absl::StrCat(bytes, " is out of range; allowed: ", least, " to ", kLargestFrame,
                                " bytes with FCS on IPv", parameters.ip_version()));
    }
    if (std::find(parameters.frame_bytes().begin(), parameters.frame_bytes().begin() + i, bytes) !=
        parameters.frame_bytes().begin() + i) {
      return Wrong("--frame", absl::StrCat(bytes, " is named twice; --repeat measures it again"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTests(const Rfc2544Parameters& parameters) {
  const auto has = [&](Rfc2544Test test) {
    return std::find(parameters.tests().begin(), parameters.tests().end(), test) !=
           parameters.tests().end();
  };
  if (parameters.tests().empty()) return Wrong("--tests", "at least one is needed");
  if (has(measurement::v1::RFC2544_TEST_UNSPECIFIED)) return Wrong("--tests", "an unknown test");
  if (has(measurement::v1::LATENCY) && !has(measurement::v1::THROUGHPUT)) {
    return Wrong("--tests",
                 "latency is measured at the throughput (RFC 2544 section 26.2): add throughput");
  }
  return absl::OkStatus();
}

std::string ShownValue(const Rfc2544Parameters& parameters,
                       const google::protobuf::FieldDescriptor* field) {
  const google::protobuf::Reflection* reflection = parameters.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> set;
  reflection->ListFields(parameters, &set);
  if (std::find(set.begin(), set.end(), field) == set.end()) return "none";
  if (field->name().ends_with("_ns")) {
    return FormatDurationNs(static_cast<double>(reflection->GetUInt64(parameters, field)));
  }
  if (field->name() == "line_bps") return FormatRate(parameters.line_bps());
  if (field->name() == "frame_bytes") return absl::StrJoin(parameters.frame_bytes(), ",");
  if (field->name() == "tests") {
    return absl::StrJoin(parameters.tests(), ",", [](std::string* out, int test) {
      out->append(Name(static_cast<Rfc2544Test>(test)));
    });
  }
  if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_DOUBLE) {
    return absl::StrFormat("%g%%", 100 * reflection->GetDouble(parameters, field));
  }
  if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING) {
    return reflection->GetString(parameters, field);
  }
  return absl::StrCat(reflection->GetUInt32(parameters, field));
}

}  // namespace

const char* Name(Rfc2544Test test) {
  for (const NamedTest& each : kTests) {
    if (each.test == test) return each.name;
  }
  return "unknown";
}

uint32_t LeastFrame(uint32_t ip_version, bool tagged) {
  return 14 + (tagged ? 4 : 0) + (ip_version == 4 ? 20 : 40) + 8 + wire::kMinUdpPayload + 4;
}

uint32_t PayloadOf(uint32_t frame_bytes, uint32_t ip_version, bool tagged) {
  return frame_bytes - LeastFrame(ip_version, tagged) + wire::kMinUdpPayload;
}

absl::StatusOr<Rfc2544Parameters> MakeParameters(const Options& options,
                                                 const Rfc2544Parameters* known) {
  Rfc2544Parameters p = known != nullptr ? *known : Defaults();
  Reader reader;
  reader.Text(options.out_port, [&](const auto& text) { p.set_out_port(text); });
  reader.Text(options.in_port, [&](const auto& text) { p.set_in_port(text); });
  reader.Text(options.to_mac, [&](const auto& text) { p.set_to_mac(text); });
  reader.Text(options.experiment, [&](const auto& text) { p.set_experiment(text); });
  reader.Text(options.purpose, [&](const auto& text) { p.set_purpose(text); });
  ReadTests(options.tests, &reader, &p);
  reader.Number("--ip", options.ip, [&](uint32_t value) { p.set_ip_version(value); });
  ReadFrames(options.frames, &reader, &p);
  reader.Number("--streams", options.streams, [&](uint32_t value) { p.set_streams(value); });
  reader.Number("--dscp", options.dscp, [&](uint32_t value) { p.set_dscp(value); });
  if (!options.line_rate.empty()) {
    const auto rate = ParseRate(options.line_rate);
    if (!rate.ok() || rate->max) {
      reader.Fault("--line-rate", absl::StrCat("\"", options.line_rate,
                                               "\" is not a line's rate; write it like 10G"));
    } else {
      p.set_line_bps(static_cast<double>(rate->bps));
    }
  }
  reader.Duration("--trial", options.trial, [&](uint64_t ns) {
    p.set_trial_ns(ns);
    if (known == nullptr) p.set_latency_trial_ns(0);
  });
  reader.Duration("--latency-trial", options.latency_trial,
                  [&](uint64_t ns) { p.set_latency_trial_ns(ns); });
  // Section 26.2 has 120 s where section 24 has 60 s.
  if (p.latency_trial_ns() == 0 && options.latency_trial.empty()) {
    p.set_latency_trial_ns(2 * p.trial_ns());
  }
  reader.Duration("--learning", options.learning, [&](uint64_t ns) { p.set_learning_ns(ns); });
  reader.Duration("--ramp-up", options.ramp_up, [&](uint64_t ns) { p.set_ramp_up_ns(ns); });
  reader.Duration("--residual", options.residual, [&](uint64_t ns) { p.set_residual_ns(ns); });
  reader.Duration("--settle", options.settle, [&](uint64_t ns) { p.set_settle_ns(ns); });
  reader.Share("--resolution", options.resolution, [&](double share) { p.set_resolution(share); });
  reader.Share("--loss", options.loss, [&](double share) { p.set_acceptable_loss(share); });
  reader.Number("--repeat", options.repeat, [&](uint32_t value) { p.set_repeat(value); });
  reader.Number("--latency-trials", options.latency_trials,
                [&](uint32_t value) { p.set_latency_trials(value); });
  reader.Share("--loss-step", options.loss_step, [&](double share) { p.set_loss_step(share); });
  reader.Number("--bursts", options.bursts, [&](uint32_t value) { p.set_bursts(value); });
  reader.Duration("--longest-burst", options.longest_burst,
                  [&](uint64_t ns) { p.set_longest_burst_ns(ns); });
  reader.Share("--burst-resolution", options.burst_resolution,
               [&](double share) { p.set_burst_resolution(share); });
  if (!reader.status().ok()) return reader.status();
  if (absl::Status status = Validate(p); !status.ok()) return status;
  return p;
}

absl::Status Validate(const Rfc2544Parameters& p) {
  absl::Status status;
  if (p.out_port().empty()) status.Update(Wrong("--out", "required: the port the tester sends on"));
  if (p.in_port().empty()) {
    status.Update(Wrong("--in", "required: the port the tester receives on, behind the DUT"));
  }
  if (p.ip_version() != 4 && p.ip_version() != 6) {
    return Wrong("--ip", absl::StrCat(p.ip_version(), "; allowed: 4, 6"));
  }
  status.Update(CheckTests(p));
  status.Update(CheckFrames(p));
  status.Update(CheckNumber("--streams", p.streams(), 1, 1024));
  status.Update(CheckNumber("--dscp", p.dscp(), 0, 63));
  if (!(p.line_bps() == 0 || (p.line_bps() >= 1e4 && p.line_bps() <= 1e13))) {
    status.Update(Wrong("--line-rate", absl::StrCat(FormatRate(p.line_bps()),
                                                    "; allowed: 10 kbit/s to 10 Tbit/s")));
  }
  status.Update(CheckDuration("--trial", p.trial_ns(), 100'000'000, kLongestTrialNs));
  status.Update(
      CheckDuration("--latency-trial", p.latency_trial_ns(), 100'000'000, kLongestTrialNs));
  status.Update(CheckDuration("--learning", p.learning_ns(), 0, 60 * kSecond));
  status.Update(CheckDuration("--ramp-up", p.ramp_up_ns(), 0, 60 * kSecond));
  status.Update(CheckDuration("--residual", p.residual_ns(), 100'000'000, 60 * kSecond));
  status.Update(CheckDuration("--settle", p.settle_ns(), 0, 600 * kSecond));
  status.Update(CheckShare("--resolution", p.resolution(), 0.00001, 0.5));
  status.Update(CheckShare("--loss", p.acceptable_loss(), 0, 0.99));
  status.Update(CheckNumber("--repeat", p.repeat(), 1, kMostRepetitions));
  status.Update(CheckNumber("--latency-trials", p.latency_trials(), 1, kMostRepetitions));
  status.Update(CheckShare("--loss-step", p.loss_step(), 0.001, 0.1));
  status.Update(CheckNumber("--bursts", p.bursts(), 1, kMostRepetitions));
  status.Update(CheckDuration("--longest-burst", p.longest_burst_ns(), 1'000'000, 60 * kSecond));
  status.Update(CheckShare("--burst-resolution", p.burst_resolution(), 0, 0.5));
  return status;
}

absl::Status CheckSame(const Rfc2544Parameters& file, const Rfc2544Parameters& asked) {
  const google::protobuf::Descriptor* type = Rfc2544Parameters::descriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    google::protobuf::util::MessageDifferencer differencer;
    const google::protobuf::FieldDescriptor* field = type->field(i);
    if (differencer.CompareWithFields(file, asked, {field}, {field})) continue;
    return Wrong(Flags().at(field->name()).c_str(),
                 absl::StrCat("the file was begun with ", ShownValue(file, field), ", not ",
                              ShownValue(asked, field),
                              "; leave the flag out to continue it, or begin anew without "
                              "--resume"));
  }
  return absl::OkStatus();
}

}  // namespace weir::cli::rfc2544
