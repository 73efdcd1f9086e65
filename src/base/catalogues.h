// The catalogues of po/, which the build puts into the program (cmake/catalogues.cmake).
#pragma once

#include <span>
#include <string_view>

namespace inkstone {

struct EmbeddedCatalogue {
  std::string_view language;  // "zh"
  std::string_view bytes;     // a .mo file of GNU gettext, in UTF-8
};

std::span<const EmbeddedCatalogue> embedded_catalogues();

}  // namespace inkstone
