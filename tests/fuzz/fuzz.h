// What the fuzz targets share. A reader may refuse its input by an Error that puts the blame
// outside, and in no other way: everything else that leaves a target, and every law that does not
// hold, is a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "inkstone/error.h"

namespace inkstone::fuzz {

inline std::string_view as_text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

inline void require(bool holds, const char* law) {
  if (holds) return;
  std::fprintf(stderr, "this does not hold: %s\n", law);
  std::abort();
}

// Calls read(); false when it refused its input.
template <typename Read>
bool accepts(Read&& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kInvalidData || error.code() == ErrorCode::kUnsupported,
            error.what());
    return false;
  }
}

}  // namespace inkstone::fuzz
