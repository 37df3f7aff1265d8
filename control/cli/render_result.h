// The result of a test in words and columns.
#ifndef WEIR_CONTROL_CLI_RENDER_RESULT_H_
#define WEIR_CONTROL_CLI_RENDER_RESULT_H_

#include <string>
#include <vector>

#include "control/cli/terminal.h"
#include "measurement/v1/admin.pb.h"
#include "record/v1/record.pb.h"

namespace weir::cli {

std::string RenderResult(const measurement::v1::TestResult& result, const Terminal& terminal);

// Parts of a direction: packets, delay and jitter; what limited it.
std::string RenderReceived(const record::v1::DirectionResult& result, const Terminal& terminal);
std::string RenderLimit(const record::v1::DirectionResult& result, const Terminal& terminal);

// One direction: rates, packets, delay, what limited it, and a row for each interval. Of one end
// alone likewise.
std::string RenderDirection(const record::v1::DirectionResult& result, const Terminal& terminal);

std::string RenderIntervals(const std::vector<record::v1::Interval>& intervals,
                            const Terminal& terminal);

// "running 3.0 s of 10.0 s | down 998.123 Mbit/s, lost 0 | up ...".
std::string RenderProgress(const measurement::v1::TestProgress& progress, uint64_t duration_ns);

const char* Name(record::v1::Direction direction);  // "down", "up".
const char* Describe(record::v1::Limit limit);      // "the sender's CPU".

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_RENDER_RESULT_H_
