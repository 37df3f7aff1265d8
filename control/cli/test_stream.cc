#include "control/cli/test_stream.h"

#include "absl/strings/str_cat.h"
#include "control/cli/json.h"
#include "control/cli/render_server.h"

namespace weir::cli {
namespace {

ExitCode CodeOf(measurement::v1::TestFailure::Kind kind) {
  switch (kind) {
    case measurement::v1::TestFailure::BAD_REQUEST:
      return ExitCode::kUsage;
    case measurement::v1::TestFailure::UNREACHABLE:
      return ExitCode::kUnreachable;
    case measurement::v1::TestFailure::VERSION_MISMATCH:
      return ExitCode::kVersion;
    case measurement::v1::TestFailure::ABORTED:
      return ExitCode::kAborted;
    case measurement::v1::TestFailure::LOCAL:
      return ExitCode::kLocal;
    default:
      return ExitCode::kInternal;
  }
}

}  // namespace

ExitCode ShowRejection(Context& context, const measurement::v1::Rejection& rejection) {
  context.terminal.ClearLine();
  if (context.json) context.out << ToJson("rejection", rejection) << std::endl;
  context.err << RenderRejection(rejection, context.terminal);
  return rejection.stage() == "protocol" ? ExitCode::kVersion : ExitCode::kRefused;
}

ExitCode ShowFailure(Context& context, const measurement::v1::TestFailure& failure) {
  context.terminal.ClearLine();
  if (context.json) context.out << ToJson("failure", failure) << std::endl;
  return Report(context,
                {CodeOf(failure.kind()),
                 failure.field().empty() ? failure.message()
                                         : absl::StrCat(failure.field(), ": ", failure.message())});
}

}  // namespace weir::cli
