// A test somebody asked for over the admin socket.
#ifndef WEIR_CONTROL_SESSION_LOCAL_TEST_H_
#define WEIR_CONTROL_SESSION_LOCAL_TEST_H_

#include <functional>
#include <string>

#include "measurement/v1/admin.pb.h"

namespace weir::control {

// Run on a thread of its own; Cancel may be called from any.
class LocalTest {
 public:
  // What the person who asked is told, in order; the last is a result, rejection or failure.
  using Sink = std::function<void(measurement::v1::RunTestUpdate)>;

  virtual ~LocalTest() = default;

  // Blocks until the test is over and its last update was given to the sink.
  virtual void Run(bool draining) = 0;

  // Ends the load at once. Thread-safe.
  virtual void Cancel(const std::string& reason) = 0;
};

}  // namespace weir::control

#endif  // WEIR_CONTROL_SESSION_LOCAL_TEST_H_
