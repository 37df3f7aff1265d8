// Gives up every privilege the process was started with.
#ifndef WEIR_DATAPLANE_PRIVILEGES_PRIVILEGES_H_
#define WEIR_DATAPLANE_PRIVILEGES_PRIVILEGES_H_

#include <string>

#include "dataplane/result.h"

namespace weir::dataplane {

// The user to run as when none is given: "weir" if it exists, else "nobody".
std::string DefaultUser();

// Becomes `user` for good: supplementary groups, group and user ids, all capability sets
// (bounding and ambient too), no_new_privs; then checks that nothing is left. Call it once
// devices, sockets and threads' memory exist, and before other threads do work: ids and
// capabilities of all threads of the process are changed. Not started as root, only capabilities
// and no_new_privs are dropped and `user` is ignored.
Status DropPrivileges(const std::string& user);

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_PRIVILEGES_PRIVILEGES_H_
