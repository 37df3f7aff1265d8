// Classify and track by whole bursts, beside a loop that only reads each packet's first 72 bytes.
// The counter "cycles" is TSC cycles a packet. The frames lie as a port's pool holds them, and are
// equally near to the core in each benchmark, whatever it takes to make them.
#include <benchmark/benchmark.h>
#include <rte_udp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "bench/engine_fixture.h"
#include "bench/measure_cycles.h"
#include "dataplane/counters/segment.h"
#include "dataplane/flow/flow_slots.h"
#include "dataplane/rx/rx_burst.h"
#include "dataplane/rx/rx_publish.h"

namespace weir::bench {
namespace {

using dataplane::kRxBurst;

constexpr size_t kFrames = 4096;
constexpr uint64_t kNowNs = 1'795'000'000'000'000'000;

// Reads what a receiver does of each frame.
void BringNear(FrameArray& frames) {
  uint64_t sum = 0;
  for (size_t i = 0; i < frames.count(); ++i) sum += frames.mbuf(i)->pkt_len + *frames.payload(i);
  benchmark::DoNotOptimize(sum);
}

void Read72Bytes(benchmark::State& state) {
  FrameArray frames(kFrames);
  const dataplane::PacketTemplate size(SenderSpec(18), 18, kSenderMac, kReceiverMac, 0);
  for (size_t i = 0; i < kFrames; ++i) size.Prepare(frames.mbuf(i));
  uint64_t sum = 0;
  MeasureCycles(
      state, kFrames, [&] { BringNear(frames); },
      [&] {
        for (size_t i = 0; i < kFrames; ++i) {
          const auto* frame = rte_pktmbuf_mtod(frames.mbuf(i), const uint8_t*);
          for (size_t k = 0; k < 72; k += 8) {
            uint64_t word;
            std::memcpy(&word, frame + k, sizeof(word));
            sum += word;
          }
        }
        benchmark::DoNotOptimize(sum);
      });
}
BENCHMARK(Read72Bytes)->UseManualTime();

// Flows that are received, their packets, and the order these come in.
class Sink {
 public:
  Sink(uint32_t flows, bool histograms)
      : slots_(flows + 1),
        segment_(std::move(dataplane::Segment::Create(flows + 1, 1, 1, flows, {}).value())),
        next_(flows, 0) {
    for (uint32_t slot = 1; slot <= flows; ++slot) {
      shm::LogHistogram* const histogram =
          histograms ? &segment_.writer().histogram(0, slot - 1) : nullptr;
      if (histograms) {  // As the main lcore does: no page of it is new to the worker.
        for (auto& count : histogram->counts) count.store(0, std::memory_order_relaxed);
      }
      segment_.writer().rx(0, slot).cell.Store({});
      slots_.OpenRx(slot, ReceiverSpec(slot), 0, histogram);
      in_turn_.push_back(slot);
    }
  }

  // The next packet of a flow (0-based), sent 100 us and a little before kNowNs. It is made without
  // touching much: what a worker receives does not push its flows out of the caches, either.
  void Send(rte_mbuf* mbuf, uint32_t flow) { Send(mbuf, flow, next_[flow]++); }
  void Send(rte_mbuf* mbuf, uint32_t flow, uint32_t sequence) {
    const uint64_t sent = kNowNs - 100'000 - random_() % 4'096;
    uint8_t* const payload = first_flow_.Prepare(mbuf);
    Address(payload, flow + 1);
    dataplane::StampPacket(payload, sequence, static_cast<uint32_t>(sent));
  }

  void Receive(FrameArray& frames) {
    dataplane::RxDrops drops;
    rte_mbuf* punted[kRxBurst];
    for (size_t at = 0; at < frames.count(); at += kRxBurst) {
      dataplane::MeasureBurst(frames.mbufs() + at, kRxBurst, 0, slots_, kNowNs, &drops, punted);
    }
    if (drops.unknown + drops.malformed != 0) std::abort();
  }

  // Of the next `count` flows in turn, at most each once.
  void Publish(size_t count) { Publish(count, turn_); }
  void AddToHistograms(size_t count) { Publish(count, dataplane::kEachHistogram); }

  std::minstd_rand& random() { return random_; }

 private:
  // Makes a flow's packet `slot`'s. It has no UDP checksum then (RFC 768), which no NIC finds bad.
  static void Address(uint8_t* payload, uint32_t slot) {
    auto* const udp = reinterpret_cast<rte_udp_hdr*>(payload - sizeof(rte_udp_hdr));
    udp->src_port = wire::ByteSwap(SenderPort(slot));
    udp->dst_port = wire::ByteSwap(ReceiverPort(slot));
    udp->dgram_cksum = 0;
    reinterpret_cast<wire::TestPacket*>(payload)->cookie = Cookie(slot);
  }

  void Publish(size_t count, uint32_t turn) {
    const std::span<const uint32_t> all(in_turn_);
    if (published_ >= all.size()) {
      published_ = 0;
      turn_ = (turn_ + 1) % dataplane::kHistogramTurns;
    }
    const size_t end = std::min(published_ + count, all.size());
    dataplane::PublishFlows(all.subspan(published_, end - published_), slots_, segment_.writer(), 0,
                            turn);
    published_ = end;
  }

  dataplane::FlowSlots slots_;
  dataplane::Segment segment_;
  std::vector<uint32_t> next_;
  std::vector<uint32_t> in_turn_;  // Slots.
  size_t published_ = 0;
  uint32_t turn_ = 0;
  const dataplane::PacketTemplate first_flow_{SenderSpec(18), 18, kSenderMac, kReceiverMac, 0};
  std::minstd_rand random_{1};
};

// One flow in order, everything tracked but the histogram, which is asked for by itself.
void SinkTrack(benchmark::State& state) {
  FrameArray frames(kFrames);
  Sink sink(1, state.range(0) != 0);
  MeasureCycles(
      state, kFrames,
      [&] {
        for (size_t i = 0; i < kFrames; ++i) sink.Send(frames.mbuf(i), 0);
        BringNear(frames);
      },
      [&] { sink.Receive(frames); });
}
BENCHMARK(SinkTrack)->ArgName("histogram")->Arg(0)->Arg(1)->UseManualTime();

// 1 % each of loss, reordering (by one to ten places) and duplicates.
void SinkImpaired(benchmark::State& state) {
  FrameArray frames(kFrames);
  Sink sink(1, state.range(0) != 0);
  uint32_t next = 0;
  std::vector<uint32_t> arrivals;
  MeasureCycles(
      state, kFrames,
      [&] {
        arrivals.clear();
        while (arrivals.size() < kFrames) {
          const uint32_t dice = sink.random()() % 100;
          if (dice == 0) ++next;
          if (dice == 1 && !arrivals.empty()) arrivals.push_back(arrivals.back());
          arrivals.push_back(next++);
          if (dice == 2 && arrivals.size() > 10) {
            std::swap(arrivals.back(), arrivals[arrivals.size() - 2 - sink.random()() % 9]);
          }
        }
        for (size_t i = 0; i < kFrames; ++i) sink.Send(frames.mbuf(i), 0, arrivals[i]);
        next = std::max(next, arrivals[kFrames - 1] + 1);
        BringNear(frames);
      },
      [&] { sink.Receive(frames); });
}
BENCHMARK(SinkImpaired)->ArgName("histogram")->Arg(0)->Arg(1)->UseManualTime();

// Flows in random order, each with its histogram. A worker has all counters of 65,536 in the
// segment within 80 ms, which at 33 Mpps is one for 40 packets, and the histograms in eight times
// that. `published`: with both; else with the histograms alone, whose share of the tracking is put
// off to then.
void TrackFlows(benchmark::State& state, bool published) {
  constexpr uint32_t kPackets = 40;
  FrameArray frames(kFrames);
  const auto flows = static_cast<uint32_t>(state.range(0));
  // It takes seconds to make, and this function is called more than once.
  static std::map<uint32_t, std::unique_ptr<Sink>> sinks;
  std::unique_ptr<Sink>& made = sinks[flows];
  if (made == nullptr) made = std::make_unique<Sink>(flows, true);
  Sink& sink = *made;
  MeasureCycles(
      state, kFrames,
      [&] {
        for (size_t i = 0; i < kFrames; ++i) sink.Send(frames.mbuf(i), sink.random()() % flows);
        BringNear(frames);
      },
      [&] {
        sink.Receive(frames);
        if (published) {
          sink.Publish(kFrames / kPackets);
        } else {
          sink.AddToHistograms(kFrames / kPackets / dataplane::kHistogramTurns);
        }
      });
}
void SinkFlows(benchmark::State& state) { TrackFlows(state, false); }
void SinkFlowsPublished(benchmark::State& state) { TrackFlows(state, true); }
BENCHMARK(SinkFlows)->Arg(1)->Arg(1024)->Arg(65'536)->UseManualTime();
BENCHMARK(SinkFlowsPublished)->Arg(1)->Arg(1024)->Arg(65'536)->UseManualTime();

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();
