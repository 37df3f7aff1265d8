#include "ipc/seqpacket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::ipc {
namespace {

bool MakeAddress(const std::string& path, sockaddr_un* address, std::string* error) {
  *address = {};
  address->sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address->sun_path)) {
    *error = "socket path '" + path + "' must have 1 to " +
             std::to_string(sizeof(address->sun_path) - 1) + " characters";
    return false;
  }
  std::memcpy(address->sun_path, path.c_str(), path.size() + 1);
  return true;
}

std::string Describe(const char* what, const std::string& path) {
  return std::string(what) + " '" + path + "': " + std::strerror(errno);
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) reset(other.release());
  return *this;
}

int UniqueFd::release() { return std::exchange(fd_, -1); }

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

UniqueFd Listen(const std::string& path, std::string* error) {
  sockaddr_un address;
  if (!MakeAddress(path, &address, error)) return UniqueFd();

  std::string ignored;
  if (Connect(path, &ignored)) {
    *error = "socket '" + path + "' is in use by a running process; stop it or choose another path";
    return UniqueFd();
  }
  struct stat info;
  if (lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      *error = "'" + path + "' exists and is not a socket; remove it or choose another path";
      return UniqueFd();
    }
    unlink(path.c_str());
  }

  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    *error = Describe("cannot bind socket", path);
    return UniqueFd();
  }
  if (chmod(path.c_str(), 0660) != 0 || listen(fd.get(), 8) != 0) {
    *error = Describe("cannot listen on socket", path);
    unlink(path.c_str());
    return UniqueFd();
  }
  return fd;
}

UniqueFd Connect(const std::string& path, std::string* error) {
  sockaddr_un address;
  if (!MakeAddress(path, &address, error)) return UniqueFd();
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    *error = Describe("cannot connect to socket", path);
    return UniqueFd();
  }
  return fd;
}

UniqueFd Accept(int listener) {
  return UniqueFd(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

bool Send(int socket, std::string_view bytes, int fd) {
  if (bytes.size() > kMaxMessageBytes) {
    errno = EMSGSIZE;
    return false;
  }
  iovec vector{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(int));
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(bytes.size());
}

RecvResult Recv(int socket, std::string* bytes, UniqueFd* fd) {
  bytes->resize(kMaxMessageBytes);
  iovec vector{bytes->data(), bytes->size()};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t received;
  do {
    received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0) {
    bytes->clear();
    return errno == EAGAIN || errno == EWOULDBLOCK ? RecvResult::kWouldBlock : RecvResult::kError;
  }
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int passed;
    std::memcpy(&passed, CMSG_DATA(header), sizeof(int));
    UniqueFd owned(passed);
    if (fd != nullptr) *fd = std::move(owned);
  }
  bytes->resize(static_cast<size_t>(received));
  if ((message.msg_flags & MSG_TRUNC) != 0) return RecvResult::kTooLong;
  // Neither end sends an empty datagram: nothing received means the peer has closed.
  return received == 0 ? RecvResult::kClosed : RecvResult::kMessage;
}

bool GetPeerCredentials(int socket, PeerCredentials* credentials) {
  ucred peer;
  socklen_t length = sizeof(peer);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return false;
  *credentials = {peer.pid, peer.uid, peer.gid};
  return true;
}

}  // namespace weir::ipc
