#include "control/cli/remote_server.h"

#include <filesystem>

namespace weir::cli {

measurement::v1::RemoteServer ToRemote(const std::string& server, const std::string& ca,
                                       bool plaintext) {
  measurement::v1::RemoteServer remote;
  remote.set_address(server);
  remote.set_plaintext(plaintext);
  if (!ca.empty()) remote.set_ca_file(std::filesystem::absolute(ca).string());
  return remote;
}

}  // namespace weir::cli
