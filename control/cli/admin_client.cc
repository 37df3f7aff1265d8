#include "control/cli/admin_client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace weir::cli {
namespace {

// 0, or why a connection is not possible. gRPC's own errors do not say.
int TryConnect(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int result =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
  close(fd);
  return result;
}

const char* Remedy(int error) {
  switch (error) {
    case ENOENT:
    case ECONNREFUSED:
      return "is weir-control running? Start it, name its socket with --admin, or test with "
             "--port DEVICE, which needs no daemon";
    case EACCES:
    case EPERM:
      return "run as root, or as a member of the socket's group";
    default:
      return "name the admin socket of a running weir-control with --admin";
  }
}

}  // namespace

std::variant<std::unique_ptr<AdminStub>, Failure> ConnectAdmin(const std::string& socket) {
  if (const int error = TryConnect(socket); error != 0) {
    return Failure{ExitCode::kUnreachable,
                   absl::StrCat("cannot reach weir-control at ", socket, ": ", std::strerror(error),
                                "; ", Remedy(error))};
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // A day of intervals is larger than gRPC's default.
  return measurement::v1::Admin::NewStub(
      grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments));
}

Failure ExplainStatus(const grpc::Status& status, const std::string& what) {
  ExitCode code = ExitCode::kInternal;
  switch (status.error_code()) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::OUT_OF_RANGE:
      code = ExitCode::kUsage;
      break;
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      code = ExitCode::kRefused;
      break;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      code = ExitCode::kUnreachable;
      break;
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::ABORTED:
      code = ExitCode::kAborted;
      break;
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::FAILED_PRECONDITION:
      code = ExitCode::kVersion;
      break;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::DATA_LOSS:
      code = ExitCode::kLocal;
      break;
    default:
      break;
  }
  return {code, absl::StrCat(what, ": ", status.error_message())};
}

void SetDeadline(grpc::ClientContext* context, int seconds) {
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
}

}  // namespace weir::cli
