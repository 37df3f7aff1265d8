#include "dataplane/privileges/privileges.h"

#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "dataplane/privileges/all_threads.h"

namespace weir::dataplane {
namespace {

// Core dumps and debuggers of the same user would see boot secret and session keys. A sanitizer
// has to attach to its own process, though.
#ifdef __SANITIZE_ADDRESS__
constexpr int kDumpable = 1;
#else
constexpr int kDumpable = 0;
#endif

Error Failed(const std::string& what, const std::string& why) {
  return {v1::INTERNAL, "--user", "cannot drop privileges: " + what + ": " + why};
}

Status BecomeUser(const std::string& user) {
  const passwd* entry = getpwnam(user.c_str());
  if (entry == nullptr) {
    return Error{v1::NOT_FOUND, "--user",
                 "there is no user \"" + user + "\"; create it with \"useradd --system " + user +
                     "\", or name another"};
  }
  if (entry->pw_uid == 0) {
    return Error{v1::INVALID_ARGUMENT, "--user",
                 "\"" + user + "\" is root; name a user without privileges"};
  }
  const uid_t uid = entry->pw_uid;
  const gid_t gid = entry->pw_gid;
  // The C library changes the ids of all threads.
  if (setgroups(1, &gid) != 0) return Failed("setgroups", std::strerror(errno));
  if (setresgid(gid, gid, gid) != 0) return Failed("setresgid", std::strerror(errno));
  if (setresuid(uid, uid, uid) != 0) return Failed("setresuid", std::strerror(errno));
  return Ok{};
}

// On each thread, while it may still: nothing executed later can have a capability.
int CloseTheWayBack() {
  for (unsigned long capability = 0; capability < 64; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) break;  // Past the last one this kernel has.
    // Without CAP_SETPCAP the bounding set stays; no_new_privs makes it meaningless.
    if (errno != EPERM) return errno;
  }
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ? errno : 0;
}

int ClearCapabilities() {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return errno;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return syscall(SYS_capset, &header, none) != 0 ? errno : 0;
}

// Reads back what the kernel has of each thread.
Status Verify() {
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(opendir("/proc/self/task"), closedir);
  if (tasks == nullptr) return Failed("/proc/self/task", std::strerror(errno));
  while (const dirent* entry = readdir(tasks.get())) {
    if (entry->d_name[0] == '.') continue;
    std::ifstream status(std::string("/proc/self/task/") + entry->d_name + "/status");
    std::string key;
    std::string value;
    int seen = 0;
    while (status >> key) {
      std::getline(status, value);
      if (key == "CapInh:" || key == "CapPrm:" || key == "CapEff:" || key == "CapAmb:") {
        ++seen;
        if (value.find_first_not_of("0 \t") != std::string::npos) {
          return Failed(key, "not empty afterwards:" + value);
        }
      } else if (key == "NoNewPrivs:") {
        ++seen;
        if (value.find('1') == std::string::npos) return Failed(key, "not set afterwards");
      }
    }
    if (seen != 5) return Failed("checking", std::string("no status of thread ") + entry->d_name);
  }
  if (setuid(0) == 0) return Failed("setuid", "root can be had back");
  return Ok{};
}

}  // namespace

std::string DefaultUser() { return getpwnam("weir") != nullptr ? "weir" : "nobody"; }

Status DropPrivileges(const std::string& user) {
  Status status = RunOnAllThreads(CloseTheWayBack);
  if (!status.ok()) return Failed("no_new_privs", status.error().message);
  if (geteuid() == 0) {
    status = BecomeUser(user);
    if (!status.ok()) return status;
  }
  status = RunOnAllThreads(ClearCapabilities);
  if (!status.ok()) return Failed("capset", status.error().message);
  if (prctl(PR_SET_DUMPABLE, kDumpable, 0, 0, 0) != 0) {
    return Failed("PR_SET_DUMPABLE", std::strerror(errno));
  }
  return Verify();
}

}  // namespace weir::dataplane
