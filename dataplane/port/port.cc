#include "dataplane/port/port.h"

#include <rte_alarm.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include <chrono>
#include <cstring>
#include <future>
#include <memory>
#include <thread>

#include "dataplane/log.h"
#include "dataplane/port/device.h"
#include "dataplane/port/driver_use.h"
#include "dataplane/port/kernel_drops.h"

namespace weir::dataplane {
namespace {

// How long a memif client waits for its server, and how long for the answer to one attempt.
constexpr std::chrono::seconds kMemifConnect{10};
constexpr std::chrono::seconds kMemifAnswer{1};

bool IsMemifClient(const PortSpec& spec) {
  const auto role = spec.options.find("role");
  return spec.kind == "memif" && role != spec.options.end() && role->second == "client";
}

// Spreads the redirection table over the RX queues in turn; a device without one is left alone.
void SpreadReceiveHash(uint16_t ethdev, uint16_t queues) {
  rte_eth_dev_info info{};
  if (queues < 2 || rte_eth_dev_info_get(ethdev, &info) != 0 || info.reta_size == 0) return;
  std::vector<rte_eth_rss_reta_entry64> table((info.reta_size + RTE_ETH_RETA_GROUP_SIZE - 1) /
                                              RTE_ETH_RETA_GROUP_SIZE);
  for (uint16_t i = 0; i < info.reta_size; ++i) {
    auto& group = table[i / RTE_ETH_RETA_GROUP_SIZE];
    group.mask |= uint64_t{1} << (i % RTE_ETH_RETA_GROUP_SIZE);
    group.reta[i % RTE_ETH_RETA_GROUP_SIZE] = static_cast<uint16_t>(i % queues);
  }
  rte_eth_dev_rss_reta_update(ethdev, table.data(), info.reta_size);
}

}  // namespace

Port::~Port() {
  Stop();
  if (driver_.empty()) return;  // Opening failed before there was a device.
  rte_eth_dev_callback_unregister(ethdev_, RTE_ETH_EVENT_INTR_RMV, &Port::OnRemoved, this);
  rte_eth_dev_info info{};
  const bool known = rte_eth_dev_info_get(ethdev_, &info) == 0;
  OnControlThread([this] { rte_eth_dev_close(ethdev_); });
  if (known && info.device != nullptr) rte_dev_remove(info.device);
  for (rte_mempool* pool : pools_) rte_mempool_free(pool);
}

int Port::OnRemoved(uint16_t, rte_eth_event_type, void* port, void*) {
  static_cast<Port*>(port)->removed_.store(true, std::memory_order_relaxed);
  return 0;
}

IpAddress Port::address4() const { return spec_.ip4 ? IpAddress(spec_.ip4->address) : IpAddress(); }
IpAddress Port::address6() const { return spec_.ip6 ? IpAddress(spec_.ip6->address) : IpAddress(); }

bool Port::Owns(const IpAddress& ip) const {
  return ip && (ip.is_v4() ? ip == address4() : ip == address6());
}

bool Port::IsBroadcast(const IpAddress& ip) const {
  if (!ip.is_v4()) return false;
  Ip4Bytes all_ones{0xFF, 0xFF, 0xFF, 0xFF};
  if (ip.v4() == all_ones) return true;
  if (!spec_.ip4 || spec_.ip4->prefix > 30 || !ip.InPrefix(address4(), spec_.ip4->prefix)) {
    return false;
  }
  for (unsigned bit = spec_.ip4->prefix; bit < 32; ++bit) {
    if ((ip.bytes()[bit / 8] & (0x80u >> (bit % 8))) == 0) return false;
  }
  return true;
}

Result<IpAddress> Port::NextHop(const IpAddress& remote) const {
  const auto no = [&](v1::Code code, const std::string& why) {
    return Error{code, "",
                 remote.ToString() + " cannot be reached from port " + spec_.name + ": " + why};
  };
  if (!remote.IsUnicast() || IsBroadcast(remote))
    return no(v1::INVALID_ARGUMENT, "not a unicast address");
  const IpAddress own = remote.is_v4() ? address4() : address6();
  const std::string suffix = remote.is_v4() ? "4" : "6";
  if (!own) return no(v1::FAILED_PRECONDITION, "the port has no ip" + suffix);
  if (remote == own) return no(v1::INVALID_ARGUMENT, "it is the port's own address");
  const uint8_t prefix = remote.is_v4() ? spec_.ip4->prefix : spec_.ip6->prefix;
  if (remote.InPrefix(own, prefix)) return remote;
  if (remote.is_v4() && spec_.ip4->gateway) return IpAddress(*spec_.ip4->gateway);
  if (remote.is_v6() && spec_.ip6->gateway) return IpAddress(*spec_.ip6->gateway);
  return no(v1::NOT_FOUND, "it is not on the link " + own.ToString() + "/" +
                               std::to_string(prefix) + " and the port has no gw" + suffix);
}

bool Port::SendFromMain(rte_mbuf* frame) const {
  bool taken;
  if (has_main_queue()) {
    const auto queue = static_cast<uint16_t>(tx_queue_count_ - 1);
    const DriverUse driver;
    taken = (!connects() || link_up()) && rte_eth_tx_burst(ethdev_, queue, &frame, 1) == 1;
  } else {
    taken = main_frames_ != nullptr && rte_ring_enqueue(main_frames_, frame) == 0;
    if (taken) wake_carrier_();
  }
  if (!taken) rte_pktmbuf_free(frame);
  return taken;
}

void Port::CarryMainFrames(rte_ring* frames, std::function<void()> wake) {
  main_frames_ = frames;
  wake_carrier_ = std::move(wake);
}

SteeringRule Port::Steer(const FlowSpec& spec) {
  if (workers_.size() < 2 || steering_refused_) return {};
  const WorkerQueues& owner = workers_[spec.slot % workers_.size()];
  if (owner.rx_queues.empty()) return {};
  std::string reason;
  SteeringRule rule =
      SteeringRule::Create(ethdev_, spec, spec_.vlan, owner.rx_queues.front(), &reason);
  if (!rule) {
    steering_refused_ = true;
    WEIR_LOG(INFO, "port %s: the driver %s steers no flows (%s); they come in by %s",
             spec_.name.c_str(), driver_.c_str(), reason.c_str(), receive_spread_.c_str());
  }
  return rule;
}

// The driver tries to connect when started, and only then; a server that listens but has not
// started its device yet turns it away, and that is not told.
bool Port::ConnectAsMemifClient() {
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); };
  const auto deadline = now() + kMemifConnect;
  for (; now() < deadline; pause()) {
    if (rte_eth_dev_start(ethdev_) != 0) continue;
    const auto answer = now() + kMemifAnswer;
    while (!link_up() && now() < answer) pause();
    if (link_up()) return true;
    OnControlThread([this] { rte_eth_dev_stop(ethdev_); });
  }
  return false;
}

Status Port::Start() {
  if (IsMemifClient(spec_)) {
    if (!ConnectAsMemifClient()) {
      return Error{
          v1::UNAVAILABLE, "--port " + spec_.name,
          spec_.device + ": nobody serves this socket; start the end with role=server first"};
    }
  } else if (const int result = rte_eth_dev_start(ethdev_); result != 0) {
    return Error{v1::INTERNAL, "--port " + spec_.name,
                 spec_.device + ": the driver " + driver_ +
                     " cannot start the device: " + rte_strerror(-result)};
  }
  started_ = true;
  SpreadReceiveHash(ethdev_, rx_queue_count_);
  return Ok{};
}

void Port::Stop() {
  if (!started_) return;
  started_ = false;
  // A ring: device keeps packets of pools that may go before it does.
  for (uint16_t queue = 0; spec_.kind == "ring" && queue < rx_queue_count_; ++queue) {
    rte_mbuf* packet = nullptr;
    while (rte_eth_rx_burst(ethdev_, queue, &packet, 1) == 1) rte_pktmbuf_free(packet);
  }
  OnControlThread([this] { rte_eth_dev_stop(ethdev_); });
}

// The memif driver takes a connection down on EAL's interrupt thread when the peer goes, and on the
// caller's when it is stopped, without a lock between: both at once free what it has twice. So it
// is stopped on that thread, where alarms are called, too.
void Port::OnControlThread(const std::function<void()>& work) const {
  struct Call {
    std::function<void()> work;
    std::promise<void> done;
  };
  auto call = std::make_unique<Call>(Call{work, {}});
  const std::future<void> done = call->done.get_future();
  const auto run = [](void* argument) {
    const std::unique_ptr<Call> of(static_cast<Call*>(argument));
    of->work();
    of->done.set_value();
  };
  if (spec_.kind != "memif" || rte_eal_alarm_set(1, run, call.get()) != 0) {
    work();
    return;
  }
  (void)call.release();  // run owns it.
  done.wait();
}

PortStats Port::ReadStats() {
  PortStats out;
  rte_eth_stats stats{};
  if (rte_eth_stats_get(ethdev_, &stats) == 0) {
    out.rx_packets = stats.ipackets;
    out.tx_packets = stats.opackets;
    out.rx_bytes = stats.ibytes;
    out.tx_bytes = stats.obytes;
    out.rx_missed = stats.imissed + stats.rx_nombuf;
    out.rx_errors = stats.ierrors;
    out.tx_errors = stats.oerrors;
  }
  if (kernel_drops_ != nullptr && started_) out.rx_missed += kernel_drops_->Read();
  out.link_up = link_up();
  out.link_bps = link_bps();
  return out;
}

bool Port::link_up() const {
  // The drivers of kernel interfaces say "up" as soon as they are started.
  if (interface_) return interface_->Running();
  return LinkIsUp(ethdev_);
}

uint64_t Port::link_bps() const {
  if (spec_.kind == "tap") return 0;
  if (interface_) return interface_->SpeedBps();
  rte_eth_link link{};
  // The rate a driver of a virtual link claims is a constant without meaning.
  if (spec_.kind != "pci" || rte_eth_link_get_nowait(ethdev_, &link) != 0 ||
      link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN) {
    return 0;
  }
  return uint64_t{link.link_speed} * 1'000'000;
}

bool Port::alive() const {
  if (removed_.load(std::memory_order_relaxed)) return false;
  if (interface_ && !interface_->Exists()) return false;
  return !(started_ && IsMemifClient(spec_) && !link_up());
}

}  // namespace weir::dataplane
