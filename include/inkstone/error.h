// Errors of the public interface.
#pragma once

#include <stdexcept>
#include <string>

namespace inkstone {

// What kind of trouble it is. The command line maps it to an exit status (kUsage: 2, the rest: 1).
enum class ErrorCode {
  kUsage,        // options or arguments that contradict each other or lie outside their range
  kNotFound,     // a file, folder, model or device that is not there
  kInvalidData,  // bytes from outside that are truncated, corrupt or of the wrong kind
  // Two inputs that do not belong together (config and weights, model and tokenizer).
  kMismatch,
  kUnsupported,  // valid, but more than this build or this program can do
  kInputOutput,  // the operating system refused: permission, full disk, broken pipe
  kInternal,     // a bug of Inkstone's
};

// The user or the environment is at fault (or, for kInternal, we are). what() says what was found,
// what was expected and what to do; context is prepended on the way up ("loading 'a': tensor 'b':
// ...").
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& text) : std::runtime_error(text), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace inkstone
