#include "dataplane/rx/plain_header.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>

#include <algorithm>
#include <array>
#include <bit>

namespace weir::dataplane {
namespace {

constexpr size_t kIp = PlainHeader::kBeforeIp;
constexpr size_t kSourceAddress6 = kIp + 8;

struct Region {
  uint8_t bytes[64] = {};
};

constexpr void SetMask(Region& mask, size_t at, size_t count) {
  for (size_t i = 0; i < count; ++i) mask.bytes[at + i] = 0xFF;
}

constexpr Region MaskOf(bool v6, bool tagged) {
  Region mask;
  if (tagged) {
    SetMask(mask, 0, 4);
    mask.bytes[2] = 0x0F;  // Priority and drop eligibility may be anything.
  }
  SetMask(mask, kIp - 2, 2);  // EtherType.
  if (v6) {
    mask.bytes[kIp] = 0xF0;                      // Version.
    SetMask(mask, kIp + 6, 1);                   // Next header.
    SetMask(mask, kSourceAddress6, 2 * 16 + 4);  // Addresses, ports.
  } else {
    SetMask(mask, kIp, 1);           // Version, header length.
    mask.bytes[kIp + 6] = 0x3F;      // More fragments,
    SetMask(mask, kIp + 7, 1);       // fragment offset.
    SetMask(mask, kIp + 9, 1);       // Protocol.
    SetMask(mask, kIp + 12, 8 + 4);  // Addresses, ports.
  }
  SetMask(mask, kIp + PlainHeader::Cookie(v6), 8);
  return mask;
}

template <typename T>
constexpr void Put(uint8_t* at, T value) {
  const auto raw = std::bit_cast<std::array<uint8_t, sizeof(T)>>(wire::ByteSwap(value));
  std::copy(raw.begin(), raw.end(), at);
}

struct Front {
  uint8_t expected[16] = {};
  uint8_t mask[16] = {};
};

constexpr Front FrontOf(bool v6, bool tagged) {
  Front front;
  if (tagged) Put<uint16_t>(front.expected, RTE_ETHER_TYPE_VLAN);
  Put<uint16_t>(front.expected + kIp - 2, v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
  front.expected[kIp] = v6 ? 0x60 : RTE_IPV4_VHL_DEF;
  front.expected[kIp + (v6 ? 6 : 9)] = IPPROTO_UDP;
  const Region mask = MaskOf(v6, tagged);
  std::copy_n(mask.bytes, v6 ? kSourceAddress6 : sizeof(front.mask), front.mask);
  return front;
}

}  // namespace

const PlainHeader::Mask PlainHeader::kMasks[4] = {
    std::bit_cast<Mask>(MaskOf(false, false)), std::bit_cast<Mask>(MaskOf(true, false)),
    std::bit_cast<Mask>(MaskOf(false, true)), std::bit_cast<Mask>(MaskOf(true, true))};

const PlainHeader::CommonBytes PlainHeader::kCommon[4] = {
    std::bit_cast<CommonBytes>(FrontOf(false, false)),
    std::bit_cast<CommonBytes>(FrontOf(true, false)),
    std::bit_cast<CommonBytes>(FrontOf(false, true)),
    std::bit_cast<CommonBytes>(FrontOf(true, true))};

PlainHeader::PlainHeader(const FlowSpec& spec, uint16_t vlan) {
  const bool v6 = !spec.remote.ip.is_v4();
  const uint8_t kind = KindOf(v6, vlan);
  std::copy_n(kCommon[kind].expected, sizeof(CommonBytes::expected), bytes_);
  Put<uint16_t>(bytes_ + kTci, vlan);
  uint8_t* const ip = bytes_ + kBeforeIp;
  const auto remote = spec.remote.ip.bytes();
  const auto local = spec.local.ip.bytes();
  uint8_t* at = ip + (v6 ? 8 : 12);
  std::memcpy(at, remote.data(), remote.size());
  std::memcpy(at + remote.size(), local.data(), local.size());
  at += remote.size() + local.size();
  Put<uint16_t>(at, spec.remote.port);
  Put<uint16_t>(at + 2, spec.local.port);
  Put<uint64_t>(ip + Cookie(v6), spec.cookie);
  bytes_[kKind] = kind;
}

}  // namespace weir::dataplane
