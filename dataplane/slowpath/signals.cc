#include "dataplane/slowpath/signals.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "dataplane/slowpath/destination.h"

namespace weir::dataplane {
namespace {

template <typename Packet>
std::span<const uint8_t> Bytes(const Packet& packet) {
  return {reinterpret_cast<const uint8_t*>(&packet), sizeof(packet)};
}

UdpMessage MessageFor(const FlowSpec& spec, const rte_ether_addr& mac,
                      std::span<const uint8_t> payload) {
  return {.destination = mac,
          .local_ip = spec.local.ip,
          .local_port = spec.local.port,
          .remote_ip = spec.remote.ip,
          .remote_port = spec.remote.port,
          .dscp = spec.dscp,
          .payload = payload};
}

bool FromPeer(const Flow& flow, const SignalFrame& frame) {
  return frame.source == flow.spec.remote && frame.destination == flow.spec.local;
}

}  // namespace

bool Signals::Send(const Flow& flow, std::span<const uint8_t> payload) {
  Result<std::optional<rte_ether_addr>> mac = Destination(slow_path_.neighbours(), flow);
  if (!mac.ok() || !mac->has_value()) return false;
  return slow_path_.SendUdp(*flow.port, MessageFor(flow.spec, **mac, payload));
}

bool Signals::SendHello(const Flow& flow) {
  wire::HelloPacket packet{};
  packet.header = MakeSignalHeader(wire::SignalType::kHello, flow.spec);
  return Send(flow, Bytes(packet));
}

bool Signals::SendFeedback(Flow& flow, uint64_t received, uint64_t highest_sequence) {
  wire::FeedbackPacket packet{};
  packet.header = MakeSignalHeader(wire::SignalType::kFeedback, flow.spec);
  packet.counter = ++flow.feedback_counter;
  packet.nonce = flow.nonce;
  packet.received = received;
  packet.highest_sequence = highest_sequence;
  const Mac mac =
      ComputeMac(flow.spec.session_key, Bytes(packet).first(offsetof(wire::FeedbackPacket, mac)));
  std::copy(mac.begin(), mac.end(), packet.mac);
  return Send(flow, Bytes(packet));
}

bool Signals::SendBeacon(Flow& flow, uint64_t next_sequence, uint64_t now_ns, uint64_t wall_ns) {
  wire::BeaconPacket packet{};
  packet.header = MakeSignalHeader(wire::SignalType::kBeacon, flow.spec);
  packet.sequence_high = static_cast<uint32_t>(next_sequence >> 32);
  uint64_t nonce;
  randombytes_buf(&nonce, sizeof(nonce));
  packet.nonce = nonce;
  packet.send_time = wall_ns;
  if (!Send(flow, Bytes(packet))) return false;
  flow.lease.RememberNonce(nonce, now_ns);
  return true;
}

bool Signals::SendEnd(const Flow& flow, uint64_t final_sequence) {
  wire::EndPacket packet{};
  packet.header = MakeSignalHeader(wire::SignalType::kEnd, flow.spec);
  packet.final_sequence = final_sequence;
  const Mac mac =
      ComputeMac(flow.spec.session_key, Bytes(packet).first(offsetof(wire::EndPacket, mac)));
  std::copy(mac.begin(), mac.end(), packet.mac);
  return Send(flow, Bytes(packet));
}

void Signals::AnswerHello(const Flow& flow, const SignalFrame& frame, uint64_t now_ns) {
  ++counters_.hellos;
  const bool wanted = flow.state == v1::PROGRAMMED && !flow.proof_accepted &&
                      frame.As<wire::HelloPacket>() != nullptr && FromPeer(flow, frame);
  if (!wanted) return;
  wire::ChallengePacket packet{};
  if (!limiters_[flow.port->index()].Allow(now_ns, RTE_ETHER_HDR_LEN + 48 + sizeof(packet))) return;

  packet.header = MakeSignalHeader(wire::SignalType::kChallenge, flow.spec);
  packet.time = now_ns;
  const Mac mac = ChallengeMac(boot_secret_, flow.spec, frame.source, now_ns);
  std::copy(mac.begin(), mac.end(), packet.mac);
  // Back to where it came from: an address nobody has proven is not worth a neighbour request.
  if (slow_path_.SendUdp(*flow.port, MessageFor(flow.spec, frame.source_mac, Bytes(packet)))) {
    ++counters_.challenges;
  }
}

bool Signals::AcceptProof(const Flow& flow, const SignalFrame& frame, uint64_t now_ns) {
  const auto* packet = frame.As<wire::ProofPacket>();
  auto accepted = [&] {
    if (packet == nullptr || flow.state != v1::PROGRAMMED || flow.proof_accepted ||
        !FromPeer(flow, frame)) {
      return false;
    }
    const uint64_t time = packet->time;
    if (time > now_ns || now_ns - time > wire::kProofLifetimeNs) return false;
    const Mac challenge = ChallengeMac(boot_secret_, flow.spec, frame.source, time);
    uint8_t challenge_bytes[wire::kMacBytes];
    std::copy(challenge.begin(), challenge.end(), challenge_bytes);
    const Mac expected = ProofMac(flow.spec.session_key, flow.spec.slot, flow.spec.generation, time,
                                  challenge_bytes);
    return MacEquals(expected, packet->mac);
  };
  const bool ok = accepted();
  ++(ok ? counters_.proofs_accepted : counters_.proofs_refused);
  return ok;
}

bool Signals::AcceptFeedback(Flow& flow, const SignalFrame& frame, uint64_t now_ns) {
  const auto* packet = frame.As<wire::FeedbackPacket>();
  auto accepted = [&] {
    if (packet == nullptr || flow.tx == nullptr || !FromPeer(flow, frame)) return false;
    const Mac expected = ComputeMac(flow.spec.session_key,
                                    Bytes(*packet).first(offsetof(wire::FeedbackPacket, mac)));
    return MacEquals(expected, packet->mac) &&
           flow.lease.Renew(packet->counter, packet->nonce, now_ns);
  };
  if (!accepted()) {
    ++counters_.feedback_refused;
    return false;
  }
  flow.feedback_ns = now_ns;
  flow.feedback_received = packet->received;
  flow.peer_highest = packet->highest_sequence;
  return true;
}

bool Signals::AnswerChallenge(const Flow& flow, const SignalFrame& frame) {
  const auto* challenge = frame.As<wire::ChallengePacket>();
  const bool wanted = challenge != nullptr && FromPeer(flow, frame) &&
                      (flow.state == v1::PROGRAMMED || flow.state == v1::PROVEN);
  if (!wanted) return false;
  wire::ProofPacket packet{};
  packet.header = MakeSignalHeader(wire::SignalType::kProof, flow.spec);
  packet.time = challenge->time;
  const Mac mac = ProofMac(flow.spec.session_key, flow.spec.peer_slot, flow.spec.peer_generation,
                           challenge->time, challenge->mac);
  std::copy(mac.begin(), mac.end(), packet.mac);
  return Send(flow, Bytes(packet));
}

bool Signals::AcceptBeacon(Flow& flow, const SignalFrame& frame, uint64_t wall_ns) {
  const auto* packet = frame.As<wire::BeaconPacket>();
  if (packet == nullptr || !FromPeer(flow, frame)) return false;
  flow.nonce = packet->nonce;
  const auto offset = static_cast<int64_t>(wall_ns - packet->send_time);
  for (RxFlow* receiver : flow.rx) {
    receiver->clock_offset.store(offset, std::memory_order_relaxed);
  }
  return true;
}

bool Signals::AcceptEnd(Flow& flow, const SignalFrame& frame, uint64_t now_ns) {
  const auto* packet = frame.As<wire::EndPacket>();
  if (packet == nullptr || !FromPeer(flow, frame)) return false;
  const Mac expected =
      ComputeMac(flow.spec.session_key, Bytes(*packet).first(offsetof(wire::EndPacket, mac)));
  if (!MacEquals(expected, packet->mac)) return false;
  flow.peer_highest = packet->final_sequence;
  flow.feedback_ns = now_ns;
  return true;
}

}  // namespace weir::dataplane
