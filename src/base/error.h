// Raising errors with formatted text and adding context to them.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "inkstone/error.h"

namespace inkstone {

// Throws Error{code, formatted text}.
template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

// Calls f(); an Error that leaves it gets "context: " in front of its text.
template <typename F>
decltype(auto) with_context(const std::string& context, F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (const Error& e) {
    throw Error(e.code(), context + ": " + e.what());
  }
}

// Text of an errno value, thread safe.
std::string errno_text(int error_number);

}  // namespace inkstone
