#pragma once

#include <chrono>

namespace inkstone {

// A clock that only goes forward, in seconds.
inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace inkstone
