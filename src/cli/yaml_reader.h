// YAML of the size that people write.
#pragma once

#include <string_view>

#include "base/json.h"

namespace inkstone::cli {

// A document as JSON: mappings are objects in their order, sequences arrays, and every scalar is a
// string as it is written (1e-3 stays "1e-3"; nothing there is ""). Throws kInvalidData with line
// and column for what is no YAML, more than one document, a name that occurs twice or is no scalar,
// anchors, aliases and tags, nesting deeper than 16, and more than 1 MiB.
Json json_from_yaml(std::string_view text);

}  // namespace inkstone::cli
