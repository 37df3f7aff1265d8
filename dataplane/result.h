// Errors in the dataplane: no exceptions, no allocation unless something is wrong.
#ifndef WEIR_DATAPLANE_RESULT_H_
#define WEIR_DATAPLANE_RESULT_H_

#include <string>
#include <utility>
#include <variant>

#include "dataplane/v1/dataplane.pb.h"

namespace weir::dataplane {

// What went wrong: `field` is the flag or the dotted path of the request's field (may be
// empty), `message` says what is wrong, the rule, and what to do.
struct Error {
  v1::Code code = v1::INTERNAL;
  std::string field;
  std::string message;
};

// A T or an Error.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : value_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return value_.index() == 0; }
  T& value() { return std::get<0>(value_); }
  const T& value() const { return std::get<0>(value_); }
  const Error& error() const { return std::get<1>(value_); }
  T* operator->() { return &value(); }
  T& operator*() { return value(); }

 private:
  std::variant<T, Error> value_;
};

struct Ok {};
using Status = Result<Ok>;

}  // namespace weir::dataplane

#endif  // WEIR_DATAPLANE_RESULT_H_
