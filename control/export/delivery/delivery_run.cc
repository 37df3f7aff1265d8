#include "control/export/delivery/delivery_run.h"

#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/failpoint.h"

namespace weir::control {
namespace {

constexpr uint32_t kBatch = 200;
constexpr int kMostPulls = 25;

struct Batch {
  delivery::v1::PullReply pulled = {};
  Encoded encoded = {};
  std::vector<Outcome> outcomes = {};
};
using BatchPointer = std::shared_ptr<Batch>;

class DeliveryRun {
 public:
  DeliveryRun(Engine* engine, ControlLink* control, const StopSignal& stop, std::string* disclosed)
      : engine_(engine), control_(control), stop_(stop), disclosed_(disclosed) {}

  RunEnd Run() {
    constexpr auto kInOrder = tbb::filter_mode::serial_in_order;
    tbb::parallel_pipeline(
        kBatchesUnderWay,
        tbb::make_filter<void, BatchPointer>(kInOrder,
                                             [this](tbb::flow_control& flow) {
                                               BatchPointer batch = Read();
                                               if (batch == nullptr) flow.stop();
                                               return batch;
                                             }) &
            tbb::make_filter<BatchPointer, BatchPointer>(
                tbb::filter_mode::parallel,
                [this](BatchPointer batch) { return Encode(std::move(batch)); }) &
            tbb::make_filter<BatchPointer, BatchPointer>(
                kInOrder, [this](BatchPointer batch) { return Deliver(std::move(batch)); }) &
            tbb::make_filter<BatchPointer, void>(
                kInOrder, [this](const BatchPointer& batch) { Acknowledge(batch); }));
    if (!acknowledged_.empty()) engine_->Settled(acknowledged_);
    if (end_.nothing_left && end_.pulled == 1) engine_->AllSettled();
    if (!end_.delivery.ok()) disclosed_->clear();
    return end_;
  }

 private:
  // With what the policy lets go to this destination: weir-control judges that, and gives no more.
  BatchPointer Read() {
    while (!last_read_ && !failed_ && !stop_.stopped()) {
      auto batch = std::make_shared<Batch>();
      delivery::v1::PullReply* const pulled = &batch->pulled;
      end_.pull = control_->Pull(kBatch, after_change_, engine_->follows_states(), pulled);
      if (!end_.pull.ok()) return nullptr;
      const bool more = pulled->last_change() > after_change_;
      end_.nothing_left = !more && pulled->items().empty();
      last_read_ = ++end_.pulled == kMostPulls || !more;
      after_change_ = pulled->last_change();
      KeepNew(pulled);
      if (pulled->items().empty() && pulled->disclosure().digest() == *disclosed_) continue;
      *disclosed_ = pulled->disclosure().digest();
      Failpoint("export.pulled");
      return batch;
    }
    return nullptr;
  }

  // A record that is on its way and changed since waits until weir-control knows which version of
  // it the destination has: only then is an erasure of that version one.
  void KeepNew(delivery::v1::PullReply* pulled) {
    for (int i = 0; i < pulled->items_size(); ++i) {
      if (under_way_.insert(pulled->items(i).record_id()).second) continue;
      pulled->mutable_items()->DeleteSubrange(i, pulled->items_size() - i);
      last_read_ = true;
    }
  }

  BatchPointer Encode(BatchPointer batch) {
    batch->encoded = engine_->Encode(batch->pulled);
    return batch;
  }

  BatchPointer Deliver(BatchPointer batch) {
    if (failed_) return nullptr;
    absl::StatusOr<std::vector<Outcome>> outcomes = engine_->Deliver(batch->pulled, batch->encoded);
    if (!outcomes.ok()) {
      end_.delivery = outcomes.status();
      failed_ = true;
      return nullptr;
    }
    Failpoint("export.delivered");
    ++end_.delivered;
    batch->outcomes = *std::move(outcomes);
    return batch;
  }

  void Acknowledge(const BatchPointer& batch) {
    if (batch == nullptr || !control_->Settle(batch->pulled, batch->outcomes)) return;
    for (const delivery::v1::Item& item : batch->pulled.items()) {
      acknowledged_.push_back({.record_id = item.record_id(), .tombstone = item.has_tombstone()});
    }
    Failpoint("export.acknowledged");
  }

  Engine* const engine_;
  ControlLink* const control_;
  const StopSignal& stop_;
  RunEnd end_;
  // Of the stage that reads.
  std::string* const disclosed_;
  int64_t after_change_ = 0;
  bool last_read_ = false;
  std::set<std::string> under_way_;  // All that this run has read.
  // Of the one that delivers, and of the one that acknowledges.
  std::atomic<bool> failed_{false};
  std::vector<Copy> acknowledged_;
};

}  // namespace

RunEnd RunDelivery(Engine* engine, ControlLink* control, const StopSignal& stop,
                   std::string* disclosed) {
  // Of its own: a destination that hangs has no thread of another's.
  tbb::task_arena arena(kBatchesUnderWay);
  return arena.execute([&] { return DeliveryRun(engine, control, stop, disclosed).Run(); });
}

}  // namespace weir::control
