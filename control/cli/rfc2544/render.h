// A run of `weir rfc2544` in words and columns.
#ifndef WEIR_CONTROL_CLI_RFC2544_RENDER_H_
#define WEIR_CONTROL_CLI_RFC2544_RENDER_H_

#include <string>
#include <vector>

#include "control/cli/rfc2544/procedure.h"
#include "control/cli/terminal.h"
#include "measurement/v1/rfc2544.pb.h"

namespace weir::cli::rfc2544 {

// What is about to be run, how long it takes at most, and where the state is kept.
std::string RenderPlan(const measurement::v1::Rfc2544Report& report, const Estimate& left,
                       const std::string& state_file);

// One line of a trial that ended.
std::string RenderTrial(const Rfc2544Trial& trial, const Terminal& terminal);

// A table for each test that was run, and the notes.
std::string RenderReport(const measurement::v1::Rfc2544Report& report, const Terminal& terminal);

// Where the run departs from RFC 2544 and RFC 9004, and how what it measures is to be read.
std::vector<std::string> Notes(const Rfc2544Parameters& parameters);

// The report's, and what was noted of single frame sizes.
std::vector<std::string> AllNotes(const measurement::v1::Rfc2544Report& report);

// "throughput", "learning".
const char* PhaseName(Rfc2544Trial::Phase phase);
// "27 h 5 min", "4 min", "12 s": for what takes long.
std::string FormatLongTime(uint64_t ns);
// "7,440.5": frames a second to a tenth below 1,000.
std::string FormatFps(double fps);
// "50.13 %" of a share.
std::string FormatShare(double share);

}  // namespace weir::cli::rfc2544

#endif  // WEIR_CONTROL_CLI_RFC2544_RENDER_H_
