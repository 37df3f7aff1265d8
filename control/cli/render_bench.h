// What one end of a bench run measured, in words and columns.
#ifndef WEIR_CONTROL_CLI_RENDER_BENCH_H_
#define WEIR_CONTROL_CLI_RENDER_BENCH_H_

#include <string>
#include <vector>

#include "control/cli/bench_request.h"
#include "control/cli/terminal.h"
#include "measurement/v1/admin.pb.h"
#include "record/v1/record.pb.h"

namespace weir::cli {

// The table of a run's seconds: its head, and a row.
std::string RenderBenchHead(record::v1::Ends ends, const Terminal& terminal);
std::string RenderBenchRow(record::v1::Ends ends, const record::v1::Interval& interval);

// All but the seconds.
std::string RenderBenchResult(const record::v1::DirectionResult& result, const Terminal& terminal);

// A row for each frame size.
std::string RenderBenchSummary(const std::vector<BenchTrial>& trials,
                               const measurement::v1::BenchReport& report,
                               const Terminal& terminal);

}  // namespace weir::cli

#endif  // WEIR_CONTROL_CLI_RENDER_BENCH_H_
