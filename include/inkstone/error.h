// Errors of the public interface.
#pragma once

#include <memory>
#include <stdexcept>
#include <utility>

#include "inkstone/message.h"

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

// The user or the environment is at fault (or, for kInternal, we are). It says what was found, what
// was expected and what to do; context is prepended on the way up ("loading 'a': tensor 'b': ...").
// what() is English; people are shown message().shown().
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, Message message)
      : std::runtime_error(message.english()),
        code_(code),
        message_(std::make_shared<const Message>(std::move(message))) {}
  ErrorCode code() const noexcept { return code_; }
  const Message& message() const noexcept { return *message_; }

 private:
  ErrorCode code_;
  std::shared_ptr<const Message> message_;  // copying an exception must not throw
};

}  // namespace inkstone
