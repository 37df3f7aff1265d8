// Where records are delivered to.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_ENGINE_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_ENGINE_H_

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "export/v1/export.pb.h"

namespace weir::control {

struct Outcome {
  bool refused = false;     // It can never be delivered: a dead letter.
  int64_t version = 0;      // Of what the destination has now; 0 if only it knows.
  std::string reason = {};  // Of a refusal; never an address.
};

// What a destination has of a record.
struct Copy {
  std::string record_id = {};
  bool tombstone = false;

  bool operator==(const Copy&) const = default;
  bool operator<(const Copy& other) const {
    return std::tie(record_id, tombstone) < std::tie(other.record_id, other.tombstone);
  }
};

// Of each item of a batch, in order: what delivering it takes that can be made of the item alone,
// or why it can never be delivered (a dead letter).
using Encoded = std::vector<absl::StatusOr<std::string>>;

// Used by one thread at a time, but for Encode. Whatever fails, and wherever the process is killed:
// an item that is given again is not delivered twice.
class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  virtual const char* name() const = 0;
  // What it delivers to keeps the release state and decides by it who reads what: a record comes
  // again when that changed, and a batch without items when what may be read did.
  virtual bool follows_states() const { return false; }
  // Called until it succeeds, and again after Deliver failed. Says what to do about it.
  virtual absl::Status Open() = 0;
  // Thread-safe; for several batches at once, before it is their turn to be delivered.
  virtual Encoded Encode(const delivery::v1::PullReply& batch) const = 0;
  // Durable: an outcome for each item, in order. A failure is of the destination as a whole;
  // the same items will be given again.
  virtual absl::StatusOr<std::vector<Outcome>> Deliver(const delivery::v1::PullReply& batch,
                                                       const Encoded& encoded) = 0;
  // weir-control knows the outcomes of these, durably.
  virtual void Settled(const std::vector<Copy>&) {}
  // weir-control has nothing to give: of all that was ever delivered it knows the outcomes.
  virtual void AllSettled() {}

  // For a destination that may lose what it acknowledged: called when no batch is under way, looks
  // again at what is old enough, and returns what is gone. It is returned again until GivenAgain
  // says that weir-control, durably, takes it for not delivered.
  virtual absl::StatusOr<std::vector<Copy>> FindLost() { return std::vector<Copy>(); }
  virtual void GivenAgain(const std::vector<Copy>&) {}
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_ENGINE_H_
