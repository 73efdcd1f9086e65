// Members of simdjson's objects, and what kinds of values there are.
#pragma once

#include <simdjson.h>

#include <string_view>

namespace inkstone {

// Of several members with the same name the last one, as Python's json takes it.
simdjson::simdjson_result<simdjson::dom::element> last_member(simdjson::dom::element element,
                                                              std::string_view name);

// "an array", "a number"; marked for translation.
const char* type_name(simdjson::dom::element_type type);

}  // namespace inkstone
