#include "dataplane/port/steering.h"

#include <rte_errno.h>
#include <rte_ethdev.h>

#include <array>
#include <cstring>

namespace weir::dataplane {
namespace {

template <typename T>
T AllBits() {
  T value;
  std::memset(&value, 0xFF, sizeof(value));
  return value;
}

// What a rule matches; it points into itself, so it stays where it is.
struct Pattern {
  Pattern(const FlowSpec& spec, uint16_t vlan_id) {
    const bool v6 = !spec.remote.ip.is_v4();
    Add(RTE_FLOW_ITEM_TYPE_ETH, nullptr, nullptr);
    if (vlan_id != 0) {
      vlan.tci = rte_cpu_to_be_16(vlan_id);
      vlan_mask.tci = rte_cpu_to_be_16(0x0FFF);
      Add(RTE_FLOW_ITEM_TYPE_VLAN, &vlan, &vlan_mask);
    }
    const auto remote = spec.remote.ip.bytes();
    const auto local = spec.local.ip.bytes();
    if (v6) {
      std::memcpy(ip6.hdr.src_addr, remote.data(), remote.size());
      std::memcpy(ip6.hdr.dst_addr, local.data(), local.size());
      std::memset(ip6_mask.hdr.src_addr, 0xFF, sizeof(ip6_mask.hdr.src_addr));
      std::memset(ip6_mask.hdr.dst_addr, 0xFF, sizeof(ip6_mask.hdr.dst_addr));
      Add(RTE_FLOW_ITEM_TYPE_IPV6, &ip6, &ip6_mask);
    } else {
      std::memcpy(&ip4.hdr.src_addr, remote.data(), remote.size());
      std::memcpy(&ip4.hdr.dst_addr, local.data(), local.size());
      ip4_mask.hdr.src_addr = ip4_mask.hdr.dst_addr = AllBits<rte_be32_t>();
      Add(RTE_FLOW_ITEM_TYPE_IPV4, &ip4, &ip4_mask);
    }
    udp.hdr.src_port = rte_cpu_to_be_16(spec.remote.port);
    udp.hdr.dst_port = rte_cpu_to_be_16(spec.local.port);
    udp_mask.hdr.src_port = udp_mask.hdr.dst_port = AllBits<rte_be16_t>();
    Add(RTE_FLOW_ITEM_TYPE_UDP, &udp, &udp_mask);
    Add(RTE_FLOW_ITEM_TYPE_END, nullptr, nullptr);
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  void Add(rte_flow_item_type type, const void* spec, const void* mask) {
    items[count++] = {.type = type, .spec = spec, .last = nullptr, .mask = mask};
  }

  std::array<rte_flow_item, 5> items{};
  size_t count = 0;
  rte_flow_item_vlan vlan{}, vlan_mask{};
  rte_flow_item_ipv4 ip4{}, ip4_mask{};
  rte_flow_item_ipv6 ip6{}, ip6_mask{};
  rte_flow_item_udp udp{}, udp_mask{};
};

}  // namespace

SteeringRule::~SteeringRule() {
  if (rule_ != nullptr) rte_flow_destroy(ethdev_, rule_, nullptr);
}

SteeringRule SteeringRule::Create(uint16_t ethdev, const FlowSpec& spec, uint16_t vlan,
                                  uint16_t queue, std::string* reason) {
  const Pattern pattern(spec, vlan);
  const rte_flow_action_queue to{.index = queue};
  const rte_flow_action actions[] = {{RTE_FLOW_ACTION_TYPE_QUEUE, &to},
                                     {RTE_FLOW_ACTION_TYPE_END, nullptr}};
  rte_flow_attr attributes{};
  attributes.ingress = 1;
  rte_flow_error error{};
  SteeringRule steering;
  steering.ethdev_ = ethdev;
  if (rte_flow_validate(ethdev, &attributes, pattern.items.data(), actions, &error) == 0) {
    steering.rule_ = rte_flow_create(ethdev, &attributes, pattern.items.data(), actions, &error);
  }
  if (!steering) *reason = error.message != nullptr ? error.message : rte_strerror(rte_errno);
  return steering;
}

}  // namespace weir::dataplane
