#include "corpus/read/json_members.h"

#include "base/message.h"

namespace inkstone {

simdjson::simdjson_result<simdjson::dom::element> last_member(simdjson::dom::element element,
                                                              std::string_view name) {
  using Element = simdjson::dom::element;
  simdjson::dom::object object;
  if (const auto error = element.get(object)) return error;
  simdjson::simdjson_result<Element> found(simdjson::NO_SUCH_FIELD);
  for (const auto member : object) {
    if (member.key == name) found = simdjson::simdjson_result<Element>(Element(member.value));
  }
  return found;
}

const char* type_name(simdjson::dom::element_type type) {
  using Type = simdjson::dom::element_type;
  switch (type) {
    case Type::ARRAY: return marked("an array");
    case Type::OBJECT: return marked("an object");
    case Type::STRING: return marked("a string");
    case Type::BOOL: return marked("true or false");
    case Type::NULL_VALUE: return marked("null");
    default: return marked("a number");
  }
}

}  // namespace inkstone
