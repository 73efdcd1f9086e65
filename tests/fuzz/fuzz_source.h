// What the fuzz targets of the readers share: a source is read to its end, and its promises are
// checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "corpus/read/document_source.h"
#include "inkstone/message.h"

namespace inkstone::fuzz {

inline std::string_view as_text(const uint8_t* data, size_t size_bytes) {
  return {reinterpret_cast<const char*>(data), size_bytes};
}

// Every document that begins ends, each has its place, and bad input throws nothing.
inline void read_all(std::string_view bytes, const ReadOptions& options,
                     const char* name = "input") {
  const auto on_dropped = [](const SourcePlace& place, const Message& why) {
    INK_CHECK(!place.source.empty() && place.document >= 0 && !why.empty(), "fuzz");
  };
  const auto source = open_source(name, read_from(bytes), options, {.on_dropped = on_dropped});
  DocumentPiece piece;
  bool inside = false;
  while (source->next(piece)) {
    INK_CHECK(piece.first == !inside && !piece.text.empty(), "fuzz");
    INK_CHECK(source->place().document > 0 && source->replaced() >= 0, "fuzz");
    inside = !piece.last;
  }
  INK_CHECK(!inside, "fuzz");
  INK_CHECK(!source->next(piece), "fuzz");
}

}  // namespace inkstone::fuzz
