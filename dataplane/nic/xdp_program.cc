#include "dataplane/nic/xdp_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace weir::dataplane::nic {
namespace {

// As libxdp and libbpf name the program that redirects to AF_XDP sockets, and the dispatcher that
// runs it where the kernel has room for several.
constexpr std::string_view kOwnPrograms[] = {"xsk_def_prog", "xsk_prog", "xdp_dispatcher",
                                             "xdp_sock_prog"};
constexpr char kPins[] = "/sys/fs/bpf/xdp";

std::string NameOf(uint32_t program_id) {
  const int fd = bpf_prog_get_fd_by_id(program_id);
  if (fd < 0) return "";
  bpf_prog_info info{};
  uint32_t length = sizeof(info);
  const int result = bpf_obj_get_info_by_fd(fd, &info, &length);
  close(fd);
  return result == 0 ? info.name : "";
}

bool IsOwn(const std::string& name) {
  for (const std::string_view own : kOwnPrograms) {
    if (name == own) return true;
  }
  return false;
}

}  // namespace

Status DetachXdpProgram(const std::string& interface, unsigned index, Foreign foreign) {
  const auto ifindex = static_cast<int>(index);
  LIBBPF_OPTS(bpf_xdp_query_opts, query);
  if (bpf_xdp_query(ifindex, 0, &query) != 0 || query.prog_id == 0) return Ok{};
  const std::string name = NameOf(query.prog_id);
  if (!IsOwn(name)) {
    if (foreign == Foreign::kLeave) return Ok{};
    return Error{v1::FAILED_PRECONDITION, interface,
                 "has the XDP program \"" + name + "\", which is not Weir's; \"ip link set dev " +
                     interface + " xdp off\" if nobody needs it"};
  }
  const int result = bpf_xdp_detach(ifindex, 0, nullptr);
  if (result != 0) {
    return Error{v1::INTERNAL, interface,
                 std::string("cannot detach the XDP program: ") + std::strerror(-result)};
  }
  // libxdp: /sys/fs/bpf/xdp/dispatch-<interface index>-<program id>.
  std::error_code error;
  std::filesystem::remove_all(std::string(kPins) + "/dispatch-" + std::to_string(index) + "-" +
                                  std::to_string(query.prog_id),
                              error);
  return Ok{};
}

}  // namespace weir::dataplane::nic
