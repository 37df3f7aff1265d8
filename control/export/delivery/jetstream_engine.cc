#include "control/export/delivery/jetstream_engine.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "control/export/delivery/jetstream_message.h"
#include "control/export/delivery/stream_settings.h"
#include "control/failpoint.h"

namespace weir::control {
namespace {

constexpr size_t kRecheckedAtOnce = 200;

// What a message's headers and subject take of the servers' max_payload at most.
constexpr size_t kHeaderBytes = 1024;

}  // namespace

struct JetStreamEngine::Pending {
  size_t index = 0;  // In the batch.
  Copy copy = {};
  NatsRequest message = {};
  std::optional<StreamMessage> held = {};  // Of a tombstone: the record as the stream has it.
};

JetStreamEngine::JetStreamEngine(config::v1::JetStream config, std::string ledger)
    : config_(std::move(config)),
      ledger_(std::move(ledger), std::chrono::seconds(config_.recheck_after_s())) {}

absl::Status JetStreamEngine::Open() {
  if (absl::Status status = ledger_.Open(); !status.ok()) return status;
  stream_.reset();
  auto stream = JetStreamStream::Open(config_);
  if (!stream.ok()) return stream.status();
  stream_ = *std::move(stream);
  return absl::OkStatus();
}

Encoded JetStreamEngine::Encode(const delivery::v1::PullReply& batch) const {
  Encoded bodies;
  for (const delivery::v1::Item& item : batch.items()) {
    bodies.push_back(item.has_tombstone() ? "" : MessageBody(item.record()));
  }
  return bodies;
}

absl::StatusOr<NatsRequest> JetStreamEngine::MessageOf(
    const delivery::v1::Item& item, const delivery::v1::AuditHead& head,
    const absl::StatusOr<std::string>& body, const std::optional<StreamMessage>& held) const {
  if (!body.ok()) return body.status();
  absl::StatusOr<NatsRequest> message = item.has_tombstone()
                                            ? ErasureMessage(config_, item, head, held)
                                            : RecordMessage(config_, item, head, *body);
  const auto most = static_cast<size_t>(stream_->max_message_bytes());
  if (!message.ok() || message->body.size() + kHeaderBytes <= most) return message;
  return absl::InvalidArgumentError(absl::StrCat("has ", message->body.size(),
                                                 " bytes; the NATS servers' max_payload is ", most,
                                                 ": raise it for records as long as this one"));
}

absl::StatusOr<std::vector<JetStreamEngine::Pending>> JetStreamEngine::Prepare(
    const delivery::v1::PullReply& batch, const Encoded& bodies, std::vector<Outcome>* outcomes) {
  std::vector<std::string> erased;
  for (const delivery::v1::Item& item : batch.items()) {
    if (item.has_tombstone()) erased.push_back(RecordSubject(config_, item.record_id()));
  }
  auto held = stream_->Read(erased);
  if (!held.ok()) return held.status();
  std::vector<Pending> pending;
  auto next_held = held->begin();
  for (int i = 0; i < batch.items_size(); ++i) {
    const delivery::v1::Item& item = batch.items(i);
    Outcome& outcome = outcomes->emplace_back(Outcome{.version = item.version()});
    Pending one{.index = static_cast<size_t>(i),
                .copy = {.record_id = item.record_id(), .tombstone = item.has_tombstone()}};
    if (item.has_tombstone()) one.held = std::move(*next_held++);
    auto message = MessageOf(item, batch.audit_head(), bodies[one.index], one.held);
    if (!message.ok()) {
      outcome.refused = true;
      outcome.reason = std::string(message.status().message());
      continue;
    }
    one.message = *std::move(message);
    pending.push_back(std::move(one));
  }
  return pending;
}

absl::Status JetStreamEngine::Publish(std::vector<Pending>* pending,
                                      std::vector<Outcome>* outcomes) {
  std::vector<NatsRequest> messages;
  for (Pending& one : *pending) messages.push_back(std::move(one.message));
  std::vector<std::string> subjects;
  for (const NatsRequest& message : messages) subjects.push_back(message.subject);
  const auto refusals = stream_->Publish(std::move(messages));
  if (!refusals.ok()) return refusals.status();
  Failpoint("jetstream.stored");
  std::vector<std::string> taken;
  for (size_t i = 0; i < subjects.size(); ++i) {
    if (!(*refusals)[i].empty()) taken.push_back(subjects[i]);
  }
  const auto there = stream_->Read(taken);
  if (!there.ok()) return there.status();
  auto next = there->begin();
  for (size_t i = 0; i < subjects.size(); ++i) {
    if ((*refusals)[i].empty()) continue;
    const std::optional<StreamMessage>& message = *next++;
    if (!message.has_value()) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the NATS servers store nothing: ", (*refusals)[i],
                       "; is their disk full, or jetstream.max_bytes reached?"));
    }
    const Pending& one = (*pending)[i];
    if (!one.copy.tombstone) (*outcomes)[one.index].version = VersionOf(*message);
  }
  return absl::OkStatus();
}

absl::Status JetStreamEngine::EraseHeld(const std::vector<Pending>& pending) {
  for (const Pending& one : pending) {
    if (!one.held.has_value() || !HasAddress(*one.held)) continue;
    if (absl::Status status = stream_->Erase(one.held->sequence); !status.ok()) return status;
    Failpoint("jetstream.erased");
  }
  return absl::OkStatus();
}

absl::Status JetStreamEngine::Note(const std::vector<Pending>& pending) {
  std::vector<Copy> stored, superseded;
  for (const Pending& one : pending) {
    stored.push_back(one.copy);
    // Its erasure has it now. If the stream had none, FindLost says so in its time.
    if (one.held.has_value()) superseded.push_back({.record_id = one.copy.record_id});
  }
  if (absl::Status status = ledger_.Add(stored); !status.ok()) return status;
  return ledger_.Remove(superseded);
}

absl::StatusOr<std::vector<Outcome>> JetStreamEngine::Deliver(const delivery::v1::PullReply& batch,
                                                              const Encoded& bodies) {
  std::vector<Outcome> outcomes;
  auto pending = Prepare(batch, bodies, &outcomes);
  if (!pending.ok()) return pending.status();
  if (absl::Status status = Publish(&*pending, &outcomes); !status.ok()) return status;
  if (absl::Status status = EraseHeld(*pending); !status.ok()) return status;
  if (absl::Status status = Note(*pending); !status.ok()) return status;
  Failpoint("jetstream.noted");
  return outcomes;
}

absl::StatusOr<std::vector<Copy>> JetStreamEngine::FindLost() {
  const std::vector<Copy> due = ledger_.Due(RecheckLedger::Clock::now(), kRecheckedAtOnce);
  if (due.empty()) return std::vector<Copy>();
  std::vector<std::string> subjects;
  for (const Copy& copy : due) {
    subjects.push_back(RecordSubject(config_, copy.record_id));
    subjects.push_back(ErasureSubject(config_, copy.record_id));
  }
  const auto messages = stream_->Read(subjects);
  if (!messages.ok()) return messages.status();
  std::vector<Copy> lost, safe;
  for (size_t i = 0; i < due.size(); ++i) {
    const std::optional<StreamMessage>& record = (*messages)[2 * i];
    const std::optional<StreamMessage>& erasure = (*messages)[2 * i + 1];
    // Carried on by its erasure, unless that was written without having seen it.
    const bool measured = record.has_value() || (erasure.has_value() && VersionOf(*erasure) != 0);
    if (!measured) lost.push_back({.record_id = due[i].record_id});
    if (due[i].tombstone && !erasure.has_value()) lost.push_back(due[i]);
    if (due[i].tombstone && record.has_value() && HasAddress(*record)) {
      // What the servers lost is that it had been removed.
      if (absl::Status status = stream_->Erase(record->sequence); !status.ok()) return status;
      if (absl::Status status = ledger_.Add({due[i]}); !status.ok()) return status;
    } else if (due[i].tombstone ? erasure.has_value() : measured) {
      safe.push_back(due[i]);
    }
  }
  if (absl::Status status = ledger_.Remove(safe); !status.ok()) return status;
  return lost;
}

void JetStreamEngine::GivenAgain(const std::vector<Copy>& copies) {
  // If this fails they are merely looked at again.
  static_cast<void>(ledger_.Remove(copies).ok());
}

}  // namespace weir::control
