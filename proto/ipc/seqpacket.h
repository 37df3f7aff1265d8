// Unix SEQPACKET sockets: one protobuf message a datagram, file descriptors beside it, the
// peer's credentials. Used by both ends of the local command protocol (proto/README.md
// section 3). No protobuf in here: callers pass serialized bytes.
#ifndef WEIR_PROTO_IPC_SEQPACKET_H_
#define WEIR_PROTO_IPC_SEQPACKET_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::ipc {

// A datagram longer than this is refused by the sender: page long lists.
inline constexpr size_t kMaxMessageBytes = 128 * 1024;
inline constexpr uint32_t kProtocolVersion = 1;

// Owns a file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

struct PeerCredentials {
  pid_t pid = -1;
  uid_t uid = 0;
  gid_t gid = 0;
};

enum class RecvResult { kMessage, kWouldBlock, kClosed, kTooLong, kError };

// Listens at `path` (mode 0660), replacing a socket file nobody listens on; refuses to
// replace one that is alive. On failure the fd is empty and *error says why.
UniqueFd Listen(const std::string& path, std::string* error);

// Connects to a listener at `path`.
UniqueFd Connect(const std::string& path, std::string* error);

// Non-blocking accept; empty if there is none.
UniqueFd Accept(int listener);

// Sends one datagram, with `fd` beside it unless it is -1. False: errno says why; EAGAIN
// only on a socket the caller made non-blocking.
bool Send(int socket, std::string_view bytes, int fd = -1);

// Receives one datagram into *bytes. A descriptor that came with it goes to *fd if that is
// given and is closed otherwise.
RecvResult Recv(int socket, std::string* bytes, UniqueFd* fd = nullptr);

bool GetPeerCredentials(int socket, PeerCredentials* credentials);

}  // namespace weir::ipc

#endif  // WEIR_PROTO_IPC_SEQPACKET_H_
