// Why a request was decided as it was: noted on the way without a word being written, and put into
// words when somebody reads it.
#ifndef WEIR_CONTROL_ADMISSION_DECISION_TRACE_H_
#define WEIR_CONTROL_ADMISSION_DECISION_TRACE_H_

#include <cstdint>
#include <deque>
#include <forward_list>
#include <memory>
#include <string>
#include <string_view>

#include "control/admission/policy.h"
#include "policy/v1/policy.pb.h"
#include "policy/v1/trace.pb.h"

namespace weir::control {

std::string RateText(uint64_t bps);     // "1.5 Gbit/s".
std::string DurationText(uint64_t ns);  // "10 s".

// Words with up to two numbers in them. It points to them, and they must outlive it.
struct Phrase {
  // Each "{n}", "{rate}" (bit/s) or "{time}" (ns) stands for the next number.
  const char* form = "";
  uint64_t first = 0;
  uint64_t second = 0;
  std::string_view text = {};  // Instead of a form: stands as it is.

  std::string ToString() const;
};

// One TraceStep to be. What it points to must outlive the trace it is noted in: constants, the
// policy that the trace holds, and what the trace was told to keep.
struct DecisionStep {
  std::string_view stage;
  std::string_view rule;
  std::string_view field = {};
  std::string_view within = {};  // What comes before `field` in its name: "quota.prefix.".
  Phrase value = {};
  Phrase limit = {};
  policy::v1::Verdict verdict = policy::v1::PASSED;
  bool shared = false;
  // These two for a rule of a layer.
  std::string_view profile = {};
  const policy::v1::AdmissionRule* serves = nullptr;

  void Write(policy::v1::TraceStep* step) const;  // One that is empty.
};

// Move-only, as its steps point into it. A default one is empty, of no policy.
class DecisionTrace {
 public:
  DecisionTrace() = default;
  explicit DecisionTrace(std::shared_ptr<const Policy> policy);
  DecisionTrace(DecisionTrace&&) = default;
  DecisionTrace& operator=(DecisionTrace&&) = default;

  void Add(const DecisionStep& step) { steps_.push_back(step); }
  // A text for steps to point to.
  std::string_view Keep(std::string text);

  policy::v1::Trace ToProto() const;

 private:
  std::shared_ptr<const Policy> policy_;
  // In small blocks: for one of some kilobytes the allocator first merges all that is free, and
  // what is allocated next takes several times as long.
  std::deque<DecisionStep> steps_;
  std::forward_list<std::string> kept_;  // None ever moves.
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_ADMISSION_DECISION_TRACE_H_
