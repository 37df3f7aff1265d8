// A kernel network interface, asked through a socket that outlives the privileges.
#ifndef WEIR_DATAPLANE_PORT_KERNEL_INTERFACE_H_
#define WEIR_DATAPLANE_PORT_KERNEL_INTERFACE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "dataplane/port/port_spec.h"
#include "dataplane/result.h"

namespace weir::dataplane {

// Queues in use (ethtool -l). A driver either has combined channels or rx and tx ones; {0, 1, 1} of
// one that does not say.
struct Channels {
  uint32_t combined;
  uint32_t rx;
  uint32_t tx;
};

class KernelInterface {
 public:
  // Error NOT_FOUND: no such interface in this network namespace.
  static Result<KernelInterface> Open(const std::string& name);
  KernelInterface(KernelInterface&& other) noexcept;
  KernelInterface& operator=(KernelInterface&&) = delete;
  ~KernelInterface();

  const std::string& name() const { return name_; }
  unsigned index() const { return index_; }

  // False once the interface was deleted, renamed or moved to another namespace.
  bool Exists() const;
  bool Up() const;       // Administratively.
  bool Running() const;  // Up, and with carrier.
  uint16_t Mtu() const;  // 0: gone.
  std::optional<MacBytes> Mac() const;
  uint64_t SpeedBps() const;  // 0: unknown.
  Channels QueueChannels() const;
  bool IsPhysical() const;  // A bus device stands behind it.

  // Lets packets for other than the interface's own addresses in, for as long as this object
  // lives: the kernel takes it back however the process ends.
  enum class Membership { kAllMulticast, kPromiscuous };
  Status Join(Membership membership);

 private:
  KernelInterface(std::string name, unsigned index, int fd)
      : name_(std::move(name)), index_(index), fd_(fd) {}
  uint32_t Flags() const;

  std::string name_;
  unsigned index_;
  int fd_;
  int membership_fd_ = -1;
};

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_PORT_KERNEL_INTERFACE_H_
