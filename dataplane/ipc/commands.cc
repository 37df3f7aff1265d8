#include "dataplane/ipc/commands.h"

#include <string>

namespace weir::dataplane {
namespace {

constexpr int kFlowsPerPage = 256;

std::string ToBytes(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

v1::FlowInfo Commands::Describe(const Flow& flow) {
  v1::FlowInfo info;
  info.set_slot(flow.spec.slot);
  info.set_generation(flow.spec.generation);
  info.set_role(flow.spec.role);
  info.set_state(flow.state);
  info.set_reason(flow.reason);
  info.set_session_id(ToBytes(flow.spec.session_id));
  info.set_stream(flow.spec.stream);
  info.set_histogram_index(flow.histogram);
  info.set_worker(flow.worker);
  info.set_port_index(flow.spec.port);
  info.mutable_local()->set_ip(ToBytes(flow.spec.local.ip.bytes()));
  info.mutable_local()->set_udp_port(flow.spec.local.port);
  info.mutable_remote()->set_ip(ToBytes(flow.spec.remote.ip.bytes()));
  info.mutable_remote()->set_udp_port(flow.spec.remote.port);
  return info;
}

v1::Response Commands::Failure(uint64_t request_id, const Error& error) {
  v1::Response response;
  response.set_request_id(request_id);
  response.mutable_status()->set_code(error.code);
  response.mutable_status()->set_field(error.field);
  response.mutable_status()->set_message(error.message);
  return response;
}

v1::Response Commands::FinishedReply(uint64_t request_id, const Flow& flow) const {
  v1::Response response;
  response.set_request_id(request_id);
  response.mutable_status()->set_code(v1::OK);
  *response.mutable_flow() = Describe(flow);
  return response;
}

std::optional<v1::Response> Commands::Execute(const v1::Request& request) {
  const uint64_t id = request.request_id();
  v1::Response response;
  response.set_request_id(id);
  response.mutable_status()->set_code(v1::OK);
  auto answer = [&](const Result<const Flow*>& flow) {
    return flow.ok() ? FinishedReply(id, *flow.value()) : Failure(id, flow.error());
  };

  switch (request.body_case()) {
    case v1::Request::kRenewLease:
      return response;
    case v1::Request::kProgramFlow:
      return answer(flows_.Program(request.program_flow().spec()));
    case v1::Request::kArmFlow:
      return answer(flows_.Arm(request.arm_flow().slot(), request.arm_flow().generation()));
    case v1::Request::kStopFlow: {
      const auto flow = flows_.Stop(request.stop_flow().slot(), request.stop_flow().generation());
      if (flow.ok() && !flow.value()->finished()) return std::nullopt;
      return answer(flow);
    }
    case v1::Request::kReleaseFlow: {
      const v1::ReleaseFlow& release = request.release_flow();
      const Status released = flows_.Release(release.slot(), release.generation());
      if (!released.ok()) return Failure(id, released.error());
      response.mutable_flow()->set_slot(release.slot());
      response.mutable_flow()->set_state(v1::FREE);
      return response;
    }
    case v1::Request::kListFlows:
      return List(id, request.list_flows().first_slot());
    case v1::Request::kListPorts:
      return Ports(id);
    case v1::Request::kHello:
    case v1::Request::BODY_NOT_SET:
      break;
  }
  return Failure(id, {v1::UNIMPLEMENTED, "body",
                      "unknown request; the controller speaks a newer protocol, or garbage"});
}

v1::Response Commands::List(uint64_t request_id, uint32_t first_slot) const {
  v1::Response response;
  response.set_request_id(request_id);
  response.mutable_status()->set_code(v1::OK);
  v1::FlowList* list = response.mutable_flows();
  for (auto at = flows_.flows().lower_bound(first_slot); at != flows_.flows().end(); ++at) {
    if (list->flows_size() == kFlowsPerPage) {
      list->set_next_slot(at->first);
      break;
    }
    *list->add_flows() = Describe(at->second);
  }
  return response;
}

v1::Response Commands::Ports(uint64_t request_id) const {
  v1::Response response;
  response.set_request_id(request_id);
  response.mutable_status()->set_code(v1::OK);
  for (const auto& port : ports_) {
    v1::PortInfo* info = response.mutable_ports()->add_ports();
    const PortSpec& spec = port->spec();
    info->set_name(spec.name);
    info->set_device(spec.device);
    info->set_driver(port->driver());
    info->set_mac(port->mac().addr_bytes, RTE_ETHER_ADDR_LEN);
    if (spec.ip4.has_value()) {
      info->set_ip4(ToBytes(spec.ip4->address));
      info->set_prefix4(spec.ip4->prefix);
      if (spec.ip4->gateway.has_value()) info->set_gateway4(ToBytes(*spec.ip4->gateway));
    }
    if (spec.ip6.has_value()) {
      info->set_ip6(ToBytes(spec.ip6->address));
      info->set_prefix6(spec.ip6->prefix);
      if (spec.ip6->gateway.has_value()) info->set_gateway6(ToBytes(*spec.ip6->gateway));
    }
    info->set_vlan(spec.vlan);
    info->set_mtu(port->mtu());
    info->set_link_bps(port->link_bps());
    info->set_link_up(port->link_up() && port->alive());
    info->set_rx_queues(port->rx_queue_count());
    info->set_tx_queues(port->tx_queue_count());
    info->set_index(port->index());
    info->set_bench(spec.bench);
  }
  return response;
}

}  // namespace weir::dataplane
