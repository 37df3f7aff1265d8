// Runs something on every thread of the process: capabilities belong to threads, not processes.
#ifndef WEIR_DATAPLANE_PRIVILEGES_ALL_THREADS_H_
#define WEIR_DATAPLANE_PRIVILEGES_ALL_THREADS_H_

#include "dataplane/result.h"

namespace weir::dataplane {

// Calls `action` on each thread, in a signal handler: it may use system calls only. It returns an
// errno, 0 if all is well. Threads that start meanwhile inherit from their creator. Error: an
// action failed, or a thread did not answer within a second. One call at a time.
Status RunOnAllThreads(int (*action)());

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_PRIVILEGES_ALL_THREADS_H_
