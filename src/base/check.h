// INK_CHECK: conditions that only a bug of ours can break. Always on; keep it out of inner loops.
#pragma once

#include <string_view>

namespace inkstone {
// Throws Error{kInternal} that names the place.
[[noreturn]] void check_failed(const char* condition, std::string_view text, const char* file,
                               int line);
}  // namespace inkstone

#define INK_CHECK(condition, text)                                                    \
  do {                                                                                \
    if (!(condition)) ::inkstone::check_failed(#condition, text, __FILE__, __LINE__); \
  } while (false)
