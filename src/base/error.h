// Raising errors with formatted text and adding context to them.
#pragma once

#include <string>
#include <utility>

#include "base/message.h"
#include "inkstone/error.h"

namespace inkstone {

// Throws Error{code, formatted text}.
template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<detail::Formatted<Args>...> format,
                       Args&&... args) {
  throw Error(code, message<Args...>(format, std::forward<Args>(args)...));
}

// Calls f(); an Error that leaves it gets "context: " in front of its text.
template <typename F>
decltype(auto) with_context(const Message& context, F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (const Error& e) {
    throw Error(e.code(), message("{}: {}", context, e.message()));
  }
}

// Text of an errno value, thread safe.
std::string errno_text(int error_number);

}  // namespace inkstone
