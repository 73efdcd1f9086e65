// Conversations in JSON objects.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <vector>

#include "corpus/read/dialogue.h"

namespace inkstone {

// Of which shape an object is, by the names of its members alone: all those that the shape must
// have are there. nullopt: of none.
std::optional<RecordShape> shape_of(simdjson::dom::element object);

// Which member an object lacks to be of a shape of which it has some: "'completion' is missing".
// Empty: it has none.
Message missing_member(simdjson::dom::element object);

// The conversation of an object of that shape, or why there is none: a member of another type, a
// role that is not in `roles`, nothing to train.
Message read_dialogue(simdjson::dom::element object, RecordShape shape,
                      const std::vector<std::string>& roles, Dialogue& dialogue);

}  // namespace inkstone
