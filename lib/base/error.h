// Errors that users see, and the call site a mistake was made at.
#pragma once

#include <stdexcept>
#include <string>

namespace atelier {

// Call site of a builder, captured by a default argument (clang 14 lacks std::source_location).
struct Where {
  const char* file = "";
  unsigned line = 0;
  bool adjoint = false;  // of what gradient() derived from the call
  static constexpr Where here(const char* f = __builtin_FILE(), unsigned l = __builtin_LINE()) {
    return {f, l};
  }
};

// The same place, said of the adjoints of a call that was made there.
constexpr Where gradient_of(Where where) { return {where.file, where.line, true}; }

// Base name and line: "vae.cc:41", "gradient of vae.cc:41".
std::string to_string(Where where);

// Something went wrong (exit status 1). The message names the culprit first, says what was
// expected and what was found, in lower case and without a full stop.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The command line or the configuration is at fault (exit status 2).
class UsageError : public Error {
 public:
  using Error::Error;
};

// A graph was built from operands that do not fit; the message names op, scope, shapes and site.
class ShapeError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

}  // namespace atelier
