#include "control/cli/rfc2544/render.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "control/cli/render_server.h"
#include "control/cli/rfc2544/parameters.h"
#include "control/cli/units.h"

namespace weir::cli::rfc2544 {
namespace {

using measurement::v1::Rfc2544BackToBack;
using measurement::v1::Rfc2544Latency;
using measurement::v1::Rfc2544LossCurve;
using measurement::v1::Rfc2544Report;
using measurement::v1::Rfc2544Test;
using measurement::v1::Rfc2544Throughput;

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr char kTesterMark[] = "the tester, not the DUT";

std::string ShownNs(double ns) { return FormatDurationNs(ns); }

// "60 s", "500 ms": as it was typed.
std::string FormatShortTime(uint64_t ns) {
  return ns % kSecondNs == 0 ? absl::StrCat(ns / kSecondNs, " s")
                             : absl::StrFormat("%g ms", static_cast<double>(ns) / 1e6);
}

std::string Head(const Terminal& terminal, const std::string& title, const std::string& columns) {
  return absl::StrCat("\n", title, "\n", terminal.Paint(Style::kBold, columns), "\n");
}

std::string LimitOf(const Rfc2544Throughput& search) {
  if (search.failed_load() == 0) return "the line rate";
  if (search.tester_limited()) return kTesterMark;
  return "the DUT";
}

// The repetition that stands for the frame size: the lowest.
const Rfc2544Throughput& Lowest(const Rfc2544FrameResult& result) {
  return *std::min_element(result.throughput().begin(), result.throughput().end(),
                           [](const auto& a, const auto& b) { return a.load() < b.load(); });
}

std::string Throughput(const Rfc2544Report& report, const Terminal& terminal) {
  const Rfc2544Parameters& parameters = report.parameters();
  std::string text =
      Head(terminal,
           absl::StrFormat("THROUGHPUT  RFC 2544 section 26.1: the highest rate with at most %g %% "
                           "loss, to %g %% of the line",
                           parameters.acceptable_loss() * 100, parameters.resolution() * 100),
           absl::StrFormat("%5s %15s %15s %10s %16s  %s", "FRAME", "LINE frames/s", "frames/s",
                           "% OF LINE", "RATE ETHERNET", "LIMIT"));
  for (const Rfc2544FrameResult& result : report.results()) {
    if (result.throughput_size() == 0) continue;
    const Rfc2544Throughput& lowest = Lowest(result);
    const bool none = lowest.load() == 0;
    absl::StrAppend(
        &text,
        absl::StrFormat(
            "%5u %15s %15s %10s %16s  %s\n", result.frame_bytes(), FormatFps(result.line_fps()),
            none ? "none" : FormatFps(lowest.fps()),
            none ? "-" : absl::StrFormat("%.2f", lowest.fps() / result.line_fps() * 100),
            none ? "-" : FormatRate(lowest.fps() * result.frame_bytes() * 8), LimitOf(lowest)));
    if (lowest.tester_limited()) absl::StrAppend(&text, Wrap(lowest.tester_limit(), "      "));
    if (result.throughput_size() > 1) {
      const std::string all = absl::StrJoin(
          result.throughput(), ", ", [](std::string* out, const Rfc2544Throughput& each) {
            out->append(absl::StrFormat("%.2f", each.load() * 100));
          });
      absl::StrAppend(&text, Wrap(absl::StrCat("the lowest of ", result.throughput_size(),
                                               " searches: ", all, " % of the line"),
                                  "      "));
    }
  }
  return text;
}

std::string Latency(const Rfc2544Report& report, const Terminal& terminal) {
  std::string text = Head(
      terminal,
      absl::StrFormat("LATENCY  RFC 2544 section 26.2: at the throughput, mean of %u trials of %s, "
                      "every frame",
                      report.parameters().latency_trials(),
                      FormatShortTime(report.parameters().latency_trial_ns())),
      absl::StrFormat("%5s %10s %12s %12s %12s %12s %12s %12s", "FRAME", "% OF LINE", "MIN", "P50",
                      "P99", "P99.9", "MAX", "MEAN"));
  for (const Rfc2544FrameResult& result : report.results()) {
    if (!result.has_latency()) continue;
    const Rfc2544Latency& latency = result.latency();
    absl::StrAppend(&text, absl::StrFormat("%5u %10.2f %12s %12s %12s %12s %12s %12s\n",
                                           result.frame_bytes(), latency.load() * 100,
                                           ShownNs(latency.min_ns()), ShownNs(latency.p50_ns()),
                                           ShownNs(latency.p99_ns()), ShownNs(latency.p999_ns()),
                                           ShownNs(latency.max_ns()), ShownNs(latency.mean_ns())));
    if (latency.lost() != 0) {
      absl::StrAppend(&text, "      ", FormatCount(latency.lost()),
                      " frames of these trials were lost\n");
    }
    if (latency.tester_limited()) {
      absl::StrAppend(&text, "      ", kTesterMark, ", was the limit in one of these trials\n");
    }
  }
  return text;
}

std::string FrameLoss(const Rfc2544Report& report, const Terminal& terminal) {
  std::string text =
      Head(terminal,
           "FRAME LOSS  RFC 2544 section 26.3: (input - output) * 100 / input, from the line rate "
           "down",
           absl::StrFormat("%5s %6s %10s %15s %10s  %s", "FRAME", "CURVE", "% OF LINE", "frames/s",
                           "LOSS %", "LIMIT"));
  for (const Rfc2544FrameResult& result : report.results()) {
    for (int curve = 0; curve < result.frame_loss_size(); ++curve) {
      for (const auto& point : result.frame_loss(curve).points()) {
        absl::StrAppend(
            &text,
            absl::StrFormat("%5u %6d %10.2f %15s %10.4f  %s\n", result.frame_bytes(), curve + 1,
                            point.load() * 100, FormatFps(point.offered_fps()),
                            point.frame_loss_rate(), point.tester_limited() ? kTesterMark : ""));
      }
    }
  }
  return text;
}

std::string BackToBack(const Rfc2544Report& report, const Terminal& terminal) {
  std::string text = Head(
      terminal,
      absl::StrFormat("BACK-TO-BACK  RFC 2544 section 26.4 and RFC 9004: the longest burst at the "
                      "line rate without loss, of %u searches",
                      report.parameters().bursts()),
      absl::StrFormat("%5s %14s %12s %12s %10s %14s %16s", "FRAME", "MEAN frames", "MIN", "MAX",
                      "DEVIATION", "BUFFER TIME", "CORRECTED TIME"));
  for (const Rfc2544FrameResult& result : report.results()) {
    if (!result.has_back_to_back()) continue;
    const Rfc2544BackToBack& burst = result.back_to_back();
    absl::StrAppend(
        &text, absl::StrFormat(
                   "%5u %14.1f %12s %12s %10.1f %14s %16s\n", result.frame_bytes(),
                   burst.mean_frames(), FormatCount(burst.min_frames()),
                   FormatCount(burst.max_frames()), burst.deviation_frames(),
                   burst.whole() ? std::string("-") : ShownNs(burst.implied_buffer_s() * 1e9),
                   burst.corrected_buffer_s() == 0 ? std::string("-")
                                                   : ShownNs(burst.corrected_buffer_s() * 1e9)));
    if (burst.whole()) {
      absl::StrAppend(&text, "      not even the longest burst lost a frame: lower bounds\n");
    }
    if (burst.tester_limited()) {
      absl::StrAppend(&text, "      ", kTesterMark,
                      ", was the limit: some bursts were slower than the line rate\n");
    }
  }
  return text;
}

std::string NoteLines(const std::string& note) {
  return Wrap(note, "      ").replace(0, 4, "note");
}

template <typename Predicate>
bool HasAny(const Rfc2544Report& report, Predicate has) {
  return std::any_of(report.results().begin(), report.results().end(), has);
}

}  // namespace

const char* PhaseName(Rfc2544Trial::Phase phase) {
  switch (phase) {
    case Rfc2544Trial::LEARNING_PHASE:
      return "learning";
    case Rfc2544Trial::RAMP_UP_PHASE:
      return "ramp-up";
    case Rfc2544Trial::THROUGHPUT_PHASE:
      return "throughput";
    case Rfc2544Trial::LATENCY_PHASE:
      return "latency";
    case Rfc2544Trial::FRAME_LOSS_PHASE:
      return "frame loss";
    case Rfc2544Trial::BACK_TO_BACK_PHASE:
      return "back-to-back";
    default:
      return "unknown";
  }
}

std::string FormatLongTime(uint64_t ns) {
  const uint64_t seconds = (ns + kSecondNs - 1) / kSecondNs;
  if (seconds < 120) return absl::StrCat(seconds, " s");
  const uint64_t minutes = (seconds + 59) / 60;
  if (minutes < 120) return absl::StrCat(minutes, " min");
  return absl::StrCat(minutes / 60, " h ", minutes % 60, " min");
}

std::string FormatFps(double fps) {
  const auto whole = static_cast<uint64_t>(std::llround(fps));
  return fps < 1000 ? absl::StrFormat("%.1f", fps) : FormatCount(whole);
}

std::string FormatShare(double share) { return absl::StrFormat("%.2f %%", share * 100); }

std::vector<std::string> Notes(const Rfc2544Parameters& parameters) {
  std::vector<std::string> notes;
  const auto shorter = [&](const char* what, uint64_t ns, uint64_t rfc_ns, const char* section) {
    if (ns >= rfc_ns) return;
    notes.push_back(absl::StrFormat("%s: %s, shorter than the %s of RFC 2544 section %s", what,
                                    FormatShortTime(ns), FormatShortTime(rfc_ns), section));
  };
  const auto tested = [&](Rfc2544Test test) {
    return std::find(parameters.tests().begin(), parameters.tests().end(), test) !=
           parameters.tests().end();
  };
  if (tested(measurement::v1::THROUGHPUT) || tested(measurement::v1::FRAME_LOSS)) {
    shorter("trials", parameters.trial_ns(), 60 * kSecondNs, "24");
  }
  if (tested(measurement::v1::LATENCY)) {
    shorter("latency trials", parameters.latency_trial_ns(), 120 * kSecondNs, "26.2");
    if (parameters.latency_trials() < 20) {
      notes.push_back(
          absl::StrFormat("%u latency trials, fewer than the 20 of RFC 2544 section "
                          "26.2",
                          parameters.latency_trials()));
    }
    notes.push_back(
        "latency is of every frame, from its departure time stamp (taken by the sending worker "
        "before it hands the frame to its port) to its receive time stamp (taken by the receiving "
        "worker when it takes frames from its port), on one clock. It has the tester's own path in "
        "it: measure that with a cable in place of the DUT. Store-and-forward latency (RFC 1242 "
        "section 3.8, last bit in to first bit out) is less by two frame times, cut-through "
        "latency (first bit in to first bit out) by one");
  }
  if (tested(measurement::v1::BACK_TO_BACK)) {
    shorter("the longest burst", parameters.longest_burst_ns(), 2 * kSecondNs, "26.4");
    if (parameters.bursts() < 50) {
      notes.push_back(
          absl::StrFormat("%u back-to-back searches, fewer than the 50 of RFC 2544 "
                          "section 26.4",
                          parameters.bursts()));
    }
  }
  if (parameters.acceptable_loss() > 0) {
    notes.push_back(absl::StrFormat("%g %% loss passed for throughput; RFC 2544's has none",
                                    parameters.acceptable_loss() * 100));
  }
  shorter("the wait for residual frames", parameters.residual_ns(), 2 * kSecondNs, "23");
  shorter("the pause between trials", parameters.settle_ns(), 5 * kSecondNs, "23");
  return notes;
}

std::vector<std::string> AllNotes(const Rfc2544Report& report) {
  // What is said of several frame sizes is said once.
  std::vector<std::pair<std::string, std::string>> sizes_by_note;
  for (const Rfc2544FrameResult& result : report.results()) {
    for (const std::string& note : result.notes()) {
      const auto same = std::find_if(sizes_by_note.begin(), sizes_by_note.end(),
                                     [&](const auto& each) { return each.first == note; });
      if (same == sizes_by_note.end()) {
        sizes_by_note.emplace_back(note, absl::StrCat(result.frame_bytes()));
      } else {
        absl::StrAppend(&same->second, ", ", result.frame_bytes());
      }
    }
  }
  std::vector<std::string> notes;
  for (const auto& [note, sizes] : sizes_by_note) {
    notes.push_back(absl::StrCat(sizes, " bytes: ", note));
  }
  notes.insert(notes.end(), report.notes().begin(), report.notes().end());
  return notes;
}

std::string RenderPlan(const Rfc2544Report& report, const Estimate& left,
                       const std::string& state_file) {
  const Rfc2544Parameters& parameters = report.parameters();
  const std::string frames = absl::StrJoin(parameters.frame_bytes(), ",");
  const std::string tests = absl::StrJoin(parameters.tests(), ", ", [](std::string* out, int test) {
    out->append(Name(static_cast<Rfc2544Test>(test)));
  });
  std::string text = absl::StrFormat(
      "%-10s port \"%s\" (%s) to port \"%s\" (%s), line rate %s\n"
      "%-10s UDP on IPv%u, %u %s, constant rate, one direction, frames of %s bytes\n"
      "%-10s %s\n"
      "%-10s at most %u trials, about %s\n",
      "path", parameters.out_port(), report.out_device(), parameters.in_port(), report.in_device(),
      FormatRate(parameters.line_bps()), "stream", parameters.ip_version(), parameters.streams(),
      parameters.streams() == 1 ? "flow" : "flows", frames, "tests", tests, "takes", left.trials,
      FormatLongTime(left.ns));
  if (report.trials_size() != 0) {
    absl::StrAppend(&text,
                    absl::StrFormat("%-10s after %d trials\n", "continued", report.trials_size()));
  }
  return absl::StrCat(text, absl::StrFormat("%-10s %s\n", "state", state_file));
}

std::string RenderTrial(const Rfc2544Trial& trial, const Terminal& terminal) {
  std::string line = absl::StrFormat("%4u %5u B  %-12s", trial.number(), trial.frame_bytes(),
                                     PhaseName(trial.phase()));
  if (trial.burst_frames() != 0) {
    absl::StrAppend(&line, absl::StrFormat("%12s frames", FormatCount(trial.burst_frames())));
  } else {
    absl::StrAppend(&line, absl::StrFormat("%8s, %s frames/s", FormatShare(trial.load()),
                                           FormatFps(trial.offered_fps())));
  }
  const std::string lost =
      trial.lost() == 0 ? std::string("no loss")
                        : absl::StrFormat("lost %s of %s (%.3f %%)", FormatCount(trial.lost()),
                                          FormatCount(trial.sent()), trial.frame_loss_rate());
  absl::StrAppend(&line, "  ",
                  terminal.Paint(trial.lost() == 0 ? Style::kGreen : Style::kYellow, lost));
  if (trial.tester_limited()) absl::StrAppend(&line, "; ", kTesterMark);
  return line + "\n";
}

std::string RenderReport(const Rfc2544Report& report, const Terminal& terminal) {
  std::string text;
  if (HasAny(report, [](const auto& result) { return result.throughput_size() != 0; })) {
    text += Throughput(report, terminal);
  }
  if (HasAny(report, [](const auto& result) { return result.has_latency(); })) {
    text += Latency(report, terminal);
  }
  if (HasAny(report, [](const auto& result) { return result.frame_loss_size() != 0; })) {
    text += FrameLoss(report, terminal);
  }
  if (HasAny(report, [](const auto& result) { return result.has_back_to_back(); })) {
    text += BackToBack(report, terminal);
  }
  text += "\n";
  for (const std::string& note : AllNotes(report)) text += NoteLines(note);
  return text;
}

}  // namespace weir::cli::rfc2544
