#include "control/api/export_service.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "control/admission/label.h"
#include "control/api/grpc_status.h"
#include "control/export/disclosure_table.h"
#include "control/session/session.h"

namespace weir::control {
namespace {

namespace dv = delivery::v1;

constexpr uint32_t kMaxItems = 500;
constexpr uint32_t kDefaultDeadLetters = 100;
constexpr size_t kMaxReason = 512;
// gRPC's own limit is 4 MiB, and a record of a day has some 8 MB of intervals.
constexpr size_t kMaxReplyBytes = size_t{2} << 20;

// Who the recipient is towards records, as every layer of the policy declares it.
absl::StatusOr<Reader> FindRecipient(const Policy& policy, const dv::Destination& destination) {
  if (!IsLabel(destination.name())) {
    return absl::InvalidArgumentError(
        absl::StrCat("destination.name: required; allowed: ", kLabelForm));
  }
  absl::StatusOr<std::string> role =
      policy.RecipientRole(destination.recipient(), destination.purpose());
  if (!role.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("destination \"", destination.name(), "\": ", role.status().message()));
  }
  if (*role == "partner") *role = absl::StrCat("partner:", destination.recipient());
  return Reader::Parse(*role);
}

Fields MayGo(const Policy& policy, const Reader& reader, const StoredRecord& stored) {
  return Disclose(policy, reader.RoleTowards(stored.record), stored.standing.state,
                  stored.record.release_class());
}

void Fill(const PendingDelivery& pending, Fields fields, dv::Item* item) {
  item->set_record_id(pending.stored.standing.record_id);
  item->set_version(pending.version);
  item->set_state(pending.stored.standing.state);
  if (pending.tombstone) {
    const record::v1::Record& record = pending.stored.record;
    dv::Tombstone* tombstone = item->mutable_tombstone();
    tombstone->set_session_id(record.session_id());
    tombstone->set_direction(record.direction());
    tombstone->set_negotiated_unix_ns(static_cast<uint64_t>(
        google::protobuf::util::TimeUtil::TimestampToNanoseconds(record.negotiated_at())));
    tombstone->set_experiment(record.experiment());
    return;
  }
  *item->mutable_record() = pending.stored.record;
  Redact(fields, item->mutable_record());
}

// For the audit log.
std::string AuditDetail(const dv::Destination& destination) {
  return absl::StrCat(destination.name(), " (", destination.engine(), "), to ",
                      destination.recipient(), " for ", destination.purpose());
}

Delivery ToDelivery(const dv::Settled& settled) {
  return {.record_id = settled.record_id(),
          .version = std::max<int64_t>(settled.version(), 0),
          .tombstone = settled.tombstone()};
}

}  // namespace

absl::Status ExportService::PullItems(const dv::PullRequest& request, dv::PullReply* reply) {
  const std::shared_ptr<const Policy> policy = admission_->policy();
  const absl::StatusOr<Reader> reader = FindRecipient(*policy, request.destination());
  if (!reader.ok()) return reader.status();
  {
    const std::lock_guard lock(mutex_);
    seen_[request.destination().name()] = {.destination = request.destination(),
                                           .at_unix_ns = absl::GetCurrentTimeNanos(),
                                           .trouble = request.trouble().substr(0, kMaxReason)};
  }
  if (request.limit() == 0) return absl::OkStatus();
  // With another policy or recipient, what was passed over before may have to go.
  const std::string terms = absl::StrCat(request.destination().recipient(), " ",
                                         request.destination().purpose(), " ", policy->digest());
  const PullQuery query{.destination = request.destination().name(),
                        .terms = terms,
                        .after_change = request.after_change(),
                        .limit = std::min(request.limit(), kMaxItems),
                        .follow_states = request.follow_states()};
  const absl::StatusOr<Pulled> pulled =
      store_->PullDeliveries(query, [&](const StoredRecord& stored) {
        // An outline alone is of no use to anybody elsewhere.
        return MayGo(*policy, *reader, stored).Has(Field::kMeasurement);
      });
  if (!pulled.ok()) return pulled.status();
  reply->set_last_change(pulled->last_change);
  size_t bytes = 0;
  for (const PendingDelivery& pending : pulled->items) {
    dv::Item* item = reply->add_items();
    Fill(pending, MayGo(*policy, *reader, pending.stored), item);
    bytes += item->ByteSizeLong();
    if (bytes > kMaxReplyBytes) {  // The rest comes with the next.
      reply->set_last_change(item->version());
      break;
    }
  }
  if (request.follow_states()) *reply->mutable_disclosure() = DescribeDisclosure(*policy, node_);
  const absl::StatusOr<AuditHead> head = store_->CurrentAuditHead();
  if (!head.ok()) return head.status();
  reply->mutable_audit_head()->set_id(head->id);
  reply->mutable_audit_head()->set_hash(absl::BytesToHexString(head->hash));
  return absl::OkStatus();
}

absl::Status ExportService::Settle(const dv::Destination& destination,
                                   const std::vector<Delivery>& deliveries) {
  const absl::StatusOr<Reader> reader = FindRecipient(*admission_->policy(), destination);
  if (!reader.ok()) return reader.status();
  absl::Status status =
      store_->SettleDeliveries(destination.name(), deliveries, AuditDetail(destination));
  if (!status.ok()) return status;
  for (const Delivery& one : deliveries) {
    metrics_->CountDelivery(destination.name(), one.tombstone, one.refused);
  }
  return absl::OkStatus();
}

absl::Status ExportService::Forget(const std::string& destination) {
  absl::Status status = store_->ForgetDestination(destination);
  if (!status.ok()) return status;
  metrics_->ForgetBacklog(destination);
  const std::lock_guard lock(mutex_);
  seen_.erase(destination);
  return absl::OkStatus();
}

absl::Status ExportService::Reopen(const dv::LoseRequest& request) {
  const absl::StatusOr<Reader> reader = FindRecipient(*admission_->policy(), request.destination());
  if (!reader.ok()) return reader.status();
  std::vector<Delivery> lost;
  for (const dv::Settled& settled : request.lost()) lost.push_back(ToDelivery(settled));
  const auto reopened = store_->ReopenDeliveries(
      request.destination().name(), lost, Reopening::kLost, AuditDetail(request.destination()));
  return reopened.status();
}

grpc::ServerUnaryReactor* ExportService::Pull(grpc::CallbackServerContext* context,
                                              const dv::PullRequest* request,
                                              dv::PullReply* reply) {
  return Finish(context, PullItems(*request, reply));
}

grpc::ServerUnaryReactor* ExportService::Acknowledge(grpc::CallbackServerContext* context,
                                                     const dv::AcknowledgeRequest* request,
                                                     dv::AcknowledgeReply*) {
  std::vector<Delivery> deliveries;
  for (const dv::Settled& settled : request->settled()) deliveries.push_back(ToDelivery(settled));
  return Finish(context, Settle(request->destination(), deliveries));
}

grpc::ServerUnaryReactor* ExportService::Refuse(grpc::CallbackServerContext* context,
                                                const dv::RefuseRequest* request,
                                                dv::RefuseReply*) {
  Delivery delivery = ToDelivery(request->settled());
  delivery.refused = true;
  delivery.reason = request->reason().substr(0, kMaxReason);
  return Finish(context, Settle(request->destination(), {delivery}));
}

absl::Status ExportService::Retry(const dv::RetryRequest& request, dv::RetryReply* reply) {
  std::vector<Delivery> dead;
  for (const std::string& id : request.record_ids()) dead.push_back({.record_id = id});
  const auto retried = store_->ReopenDeliveries(request.destination(), dead, Reopening::kRetry,
                                                request.destination());
  if (!retried.ok()) return retried.status();
  if (*retried == 0) {
    return absl::NotFoundError(absl::StrCat("destination \"", request.destination(),
                                            "\" has no such dead letter; see weir export dead"));
  }
  reply->set_retried(static_cast<uint64_t>(*retried));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* ExportService::Lose(grpc::CallbackServerContext* context,
                                              const dv::LoseRequest* request, dv::LoseReply*) {
  return Finish(context, Reopen(*request));
}

grpc::ServerUnaryReactor* ExportService::GetStatus(grpc::CallbackServerContext* context,
                                                   const dv::GetStatusRequest* request,
                                                   dv::Status* reply) {
  return Finish(context, Describe(*request, reply));
}

absl::Status ExportService::Describe(const dv::GetStatusRequest& request, dv::Status* status) {
  const uint32_t limit =
      request.dead_letters() == 0 ? kDefaultDeadLetters : std::min(request.dead_letters(), 1000u);
  const auto counts = store_->CountDeliveries();
  if (!counts.ok()) return counts.status();
  const auto dead = store_->ListDeadLetters(limit);
  if (!dead.ok()) return dead.status();
  std::map<std::string, dv::DestinationStatus> all;
  for (const DeliveryCounts& count : *counts) {
    dv::DestinationStatus& one = all[count.destination];
    one.mutable_destination()->set_name(count.destination);
    one.set_delivered(static_cast<uint64_t>(count.records));
    one.set_erasures_delivered(static_cast<uint64_t>(count.tombstones));
    one.set_dead(static_cast<uint64_t>(count.dead));
    one.set_behind(static_cast<uint64_t>(count.behind));
  }
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, seen] : seen_) {
      dv::DestinationStatus& one = all[name];
      *one.mutable_destination() = seen.destination;
      one.set_last_pull(FormatTime(static_cast<uint64_t>(seen.at_unix_ns)));
      one.set_trouble(seen.trouble);
    }
  }
  for (auto& [name, one] : all) *status->add_destinations() = std::move(one);
  for (const DeadLetter& letter : *dead) {
    dv::DeadLetter* out = status->add_dead_letters();
    out->set_destination(letter.destination);
    out->set_record_id(letter.record_id);
    out->set_tombstone(letter.tombstone);
    out->set_at(FormatTime(static_cast<uint64_t>(letter.at_unix_ns)));
    out->set_reason(letter.reason);
  }
  return absl::OkStatus();
}

}  // namespace weir::control
