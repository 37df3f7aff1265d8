// A replicated stream of NATS JetStream.
#ifndef WEIR_CONTROL_EXPORT_DELIVERY_JETSTREAM_ENGINE_H_
#define WEIR_CONTROL_EXPORT_DELIVERY_JETSTREAM_ENGINE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/v1/export.pb.h"
#include "control/export/delivery/engine.h"
#include "control/export/delivery/jetstream_stream.h"
#include "control/export/delivery/recheck_ledger.h"

namespace weir::control {

// Each record is one message under its own subject, and so is its erasure, which carries the
// record on without the address; the message that had it is overwritten. The servers acknowledge
// before they sync, so what they acknowledged is noted in a ledger and read again later.
class JetStreamEngine final : public Engine {
 public:
  // `ledger`: a file of this destination's own.
  JetStreamEngine(config::v1::JetStream config, std::string ledger);

  const char* name() const override { return "jetstream"; }
  absl::Status Open() override;
  // Of an erasure nothing: that takes what the stream has of the record.
  Encoded Encode(const delivery::v1::PullReply& batch) const override;
  absl::StatusOr<std::vector<Outcome>> Deliver(const delivery::v1::PullReply& batch,
                                               const Encoded& bodies) override;
  absl::StatusOr<std::vector<Copy>> FindLost() override;
  void GivenAgain(const std::vector<Copy>& copies) override;

 private:
  struct Pending;  // An item on its way.
  using Held = std::vector<std::optional<StreamMessage>>;

  absl::StatusOr<std::vector<Pending>> Prepare(const delivery::v1::PullReply& batch,
                                               const Encoded& bodies,
                                               std::vector<Outcome>* outcomes);
  absl::StatusOr<NatsRequest> MessageOf(const delivery::v1::Item& item,
                                        const delivery::v1::AuditHead& head,
                                        const absl::StatusOr<std::string>& body,
                                        const std::optional<StreamMessage>& held) const;
  absl::Status Publish(std::vector<Pending>* pending, std::vector<Outcome>* outcomes);
  absl::Status EraseHeld(const std::vector<Pending>& pending);
  absl::Status Note(const std::vector<Pending>& pending);

  const config::v1::JetStream config_;
  RecheckLedger ledger_;
  std::unique_ptr<JetStreamStream> stream_;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_EXPORT_DELIVERY_JETSTREAM_ENGINE_H_
