#include "dataplane/worker/worker.h"

#include <poll.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_pause.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "dataplane/port/device.h"
#include "dataplane/port/driver_use.h"
#include "dataplane/rx/rx_publish.h"

namespace weir::dataplane {
namespace {

// Housekeeping comes round this often, or each round when nothing moves.
constexpr uint32_t kHousekeepingRounds = 256;
constexpr uint64_t kPublishNs = 500'000;
constexpr size_t kPublishFlows = 64;  // Up to this many: all, each time.
// More: all of them in so long, but only so many each time (a million flows take about 0.5 s).
constexpr uint64_t kPublishRoundNs = 80'000'000;
constexpr size_t kPublishFlowsMost = 1024;
constexpr uint64_t kStarvedNs = 1'000'000;
// A worker that was off its core this long still sends what fell due meanwhile.
constexpr uint64_t kMaxLagNs = 100'000'000;
// Away from a flow for longer than so many rounds usually take, and than this, it was off its core.
constexpr uint64_t kSlackRounds = 4;
constexpr uint64_t kLeastSlackNs = 500;
constexpr uint32_t kPuntRing = 512;
constexpr uint32_t kMainFrames = 512;
// With no flow: this many empty rounds with a pause each, then sleep.
constexpr uint32_t kSpinRounds = 1024;
constexpr int kSleepMs = 10;

rte_ring* MakeRing(const std::string& name, uint32_t frames, int socket) {
  return rte_ring_create(name.c_str(), frames, socket, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

void FreeFrames(rte_ring* ring) {
  void* frame;
  while (rte_ring_dequeue(ring, &frame) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
}

}  // namespace

Worker::Worker(const WorkerSettings& settings, const Clock& clock, shm::SegmentWriter segment,
               MainWakeup& main_lcore)
    : flows(settings.slots),
      settings_(settings),
      clock_source_(clock),
      segment_(segment),
      main_lcore_(main_lcore),
      wakeup_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Worker::~Worker() {
  if (punt_ring_ != nullptr) FreeFrames(punt_ring_);
  rte_ring_free(punt_ring_);
  rte_ring_free(main_frames_);
}

Result<std::unique_ptr<Worker>> Worker::Create(const WorkerSettings& settings, const Clock& clock,
                                               shm::SegmentWriter segment, MainWakeup& main_lcore) {
  const std::string suffix = std::to_string(settings.index);
  Result<TxPool> pool = MakeTxPool("weir-tx-" + suffix, settings.mtu, settings.socket);
  if (!pool.ok()) return pool.error();

  std::unique_ptr<Worker> worker(new Worker(settings, clock, segment, main_lcore));
  worker->punt_ring_ = MakeRing("weir-punt-" + suffix, kPuntRing, settings.socket);
  if (settings.carries_main_frames) {
    worker->main_frames_ = MakeRing("weir-main-" + suffix, kMainFrames, settings.socket);
  }
  if (worker->punt_ring_ == nullptr || !worker->wakeup_ ||
      (settings.carries_main_frames && worker->main_frames_ == nullptr)) {
    return Error{v1::RESOURCE_EXHAUSTED, "--memory",
                 "cannot create worker " + suffix + ": " + rte_strerror(rte_errno)};
  }
  worker->tx_pool_ = std::move(pool.value());
  worker->tx_burst_ = TxBurst({settings.ethdev, settings.tx_queue, worker->tx_pool_.get(),
                               PaceTimeAt(clock.CyclesOf(kMaxLagNs))});
  worker->counters_.lcore = settings.lcore;
  worker->counters_.port = settings.port_index;
  worker->publish_interval_cycles_ = clock.CyclesOf(kPublishNs);
  worker->publish_round_cycles_ = clock.CyclesOf(kPublishRoundNs);
  worker->least_slack_cycles_ = clock.CyclesOf(kLeastSlackNs);
  worker->starved_threshold_cycles_ = clock.CyclesOf(kStarvedNs);
  return worker;
}

void Worker::Stop() {
  stop_.store(true, std::memory_order_release);
  Wake();
}

void Worker::Wake() {
  const uint64_t one = 1;
  while (write(wakeup_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
  }
}

void Worker::Run() {
  DriverUse driver;
  Housekeeping(ReadTsc());
  uint32_t round = 0;
  uint32_t idle_rounds = 0;
  uint64_t before = ReadTsc();
  while (!stop_.load(std::memory_order_relaxed)) {
    const uint32_t moved = Receive() + Transmit();
    driver.Leave();

    const uint64_t now = ReadTsc();
    const uint64_t spent = now - before;
    (moved != 0 ? counters_.busy_cycles : counters_.idle_cycles) += spent;
    ++counters_.loops;
    if (spent > starved_threshold_cycles_ && config_->active()) [[unlikely]] {
      counters_.rx_cpu_starved_ns += clock_.ToNs(now) - clock_.ToNs(before);
    }
    before = now;

    idle_rounds = moved != 0 ? 0 : idle_rounds + 1;
    if (moved == 0 || ++round % kHousekeepingRounds == 0) {
      Housekeeping(now);
      if (!config_->active()) {
        Rest(idle_rounds);
        const uint64_t rested = ReadTsc();
        counters_.idle_cycles += rested - before;
        before = rested;
      }
    }
  }
  last_publish_tsc_ = 0;
  Housekeeping(ReadTsc());
  tx_burst_.FreeKept();
  FreeMainFrames();
}

uint32_t Worker::Receive() {
  if (!tx_burst_.connected()) [[unlikely]]
    return 0;
  uint32_t received = 0;
  for (const uint16_t queue : settings_.rx_queues) {
    rte_mbuf* mbufs[kRxBurst];
    const uint16_t count = rte_eth_rx_burst(settings_.ethdev, queue, mbufs, kRxBurst);
    if (count == 0) continue;
    rte_mbuf* punted[kRxBurst];
    const uint16_t punts =
        ReceiveBurst(mbufs, count, settings_.vlan, flows, clock_.ToNs(ReadTsc()), &drops_, punted);
    if (punts != 0) [[unlikely]]
      Punt(punted, punts);
    if (count == kRxBurst) ++counters_.full_rx_bursts;
    received += count;
  }
  counters_.rx_packets += received;
  return received;
}

uint32_t Worker::Transmit() {
  if (main_frames_ != nullptr) SendForMain();
  const uint32_t sent = SendRound(config_->tx, &tx_burst_, clock_);
  counters_.tx_packets += sent;
  counters_.tx_rejected += tx_burst_.TakeRefused();
  return sent;
}

// Before the load, which would leave no room for them. What the port refuses is tried again.
void Worker::SendForMain() {
  if (carried_count_ == 0) {
    carried_count_ =
        rte_ring_dequeue_burst(main_frames_, reinterpret_cast<void**>(carried_), kCarried, nullptr);
    if (carried_count_ == 0) [[likely]]
      return;
  }
  const uint32_t sent = rte_eth_tx_burst(settings_.ethdev, settings_.tx_queue, carried_,
                                         static_cast<uint16_t>(carried_count_));
  carried_count_ -= sent;
  std::copy_n(carried_ + sent, carried_count_, carried_);
}

// Before the main lcore's pool is freed.
void Worker::FreeMainFrames() {
  if (main_frames_ == nullptr) return;
  rte_pktmbuf_free_bulk(carried_, carried_count_);
  carried_count_ = 0;
  FreeFrames(main_frames_);
}

void Worker::Punt(rte_mbuf** mbufs, uint16_t count) {
  const unsigned queued =
      rte_ring_enqueue_burst(punt_ring_, reinterpret_cast<void**>(mbufs), count, nullptr);
  if (queued < count) rte_pktmbuf_free_bulk(mbufs + queued, count - queued);
  counters_.punted += queued;
  counters_.punt_dropped += count - queued;
  if (queued != 0) main_lcore_.Wake();
}

void Worker::Housekeeping(uint64_t now_tsc) {
  if (config_ == nullptr || configs.pending()) {
    config_ = &configs.Adopt();
    const auto unpaced = [](const TxFlow* flow) { return !flow->paced(); };
    tx_burst_.set_shared(std::count_if(config_->tx.begin(), config_->tx.end(), unpaced) > 1);
  }
  if (settings_.connects) tx_burst_.set_connected(LinkIsUp(settings_.ethdev));
  if (now_tsc - last_publish_tsc_ < publish_interval_cycles_) return;
  const uint64_t elapsed = now_tsc - last_publish_tsc_;
  last_publish_tsc_ = now_tsc;
  clock_ = clock_source_.Line();
  SetSlack(elapsed);
  PublishFlows(elapsed);
  PublishSelf();
}

// By the rounds since the last publish.
void Worker::SetSlack(uint64_t elapsed_cycles) {
  const uint64_t rounds = std::max<uint64_t>(counters_.loops - loops_published_, 1);
  loops_published_ = counters_.loops;
  const uint64_t most = tx_burst_.queue().max_lag >> kPaceFractionBits;
  tx_burst_.set_slack(
      PaceTimeAt(std::clamp(kSlackRounds * elapsed_cycles / rounds, least_slack_cycles_, most)));
}

// All flows up to kPublishFlows, of more as many as the time since the last time is worth of a
// round: a publish stays short.
void Worker::PublishFlows(uint64_t elapsed_cycles) {
  const std::span<TxFlow* const> tx(config_->tx);
  const std::span<const uint32_t> rx(config_->rx);
  const size_t total = tx.size() + rx.size();
  const bool few = total <= kPublishFlows;
  size_t share = total;
  if (!few) {
    const uint64_t due = std::min(elapsed_cycles, publish_round_cycles_) * total;
    share = std::clamp<size_t>(due / publish_round_cycles_, kPublishFlows, kPublishFlowsMost);
  }
  if (publish_cursor_ >= total) {
    publish_cursor_ = 0;
    publish_turn_ = (publish_turn_ + 1) % kHistogramTurns;
  }
  const size_t begin = publish_cursor_;
  const size_t end = std::min(begin + share, total);
  for (size_t i = begin; i < std::min(end, tx.size()); ++i) {
    TxFlow* flow = tx[i];
    flow->PublishTo(segment_.tx(flow->slot()), settings_.index);
    if (flow->finished() && !flows.IsFinal(flow->slot())) {
      flows.SetFinal(flow->slot());
      main_lcore_.Wake();
    }
  }
  if (end > tx.size()) {
    const size_t first = std::max(begin, tx.size()) - tx.size();
    dataplane::PublishFlows(rx.subspan(first, end - tx.size() - first), flows, segment_,
                            settings_.index, few ? kEachHistogram : publish_turn_);
  }
  publish_cursor_ = end;
}

void Worker::PublishSelf() {
  counters_.drop_unknown = drops_.unknown;
  counters_.drop_malformed = drops_.malformed;
  segment_.worker(settings_.index).cell.Store(counters_);
}

// No flow: nothing to send, and what comes in may wait 10 ms.
void Worker::Rest(uint32_t idle_rounds) {
  rte_pause();
  if (idle_rounds < kSpinRounds) return;
  pollfd event{wakeup_.get(), POLLIN, 0};
  if (poll(&event, 1, kSleepMs) > 0) {
    uint64_t drained;
    while (read(wakeup_.get(), &drained, sizeof(drained)) < 0 && errno == EINTR) {
    }
  }
  ++counters_.sleeps;
}

}  // namespace weir::dataplane
