#include "corpus/read/json_dialogue.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/message.h"
#include "base/utf8.h"
#include "corpus/read/json_members.h"

namespace inkstone {
namespace {

using Element = simdjson::dom::element;

struct Shape {
  RecordShape shape;
  std::array<const char*, 2> members;  // that must be there
};

// The first that fits counts.
constexpr Shape kShapes[] = {{RecordShape::kMessages, {"messages", "messages"}},
                             {RecordShape::kPair, {"prompt", "completion"}},
                             {RecordShape::kAlpaca, {"instruction", "output"}}};

bool has(Element object, const char* name) {
  return last_member(object, name).error() == simdjson::SUCCESS;
}

// A string, or why it is none.
Message read_string(Element object, const char* name, std::string& text) {
  Element value;
  if (last_member(object, name).get(value) != simdjson::SUCCESS)
    return message("'{}' is missing", name);
  std::string_view found;
  if (value.get(found) != simdjson::SUCCESS)
    return message("'{}' is {}, expected a string", name, Message(type_name(value.type())));
  text = found;
  return {};
}

// The same, but it may be absent or null.
Message read_optional_string(Element object, const char* name, std::string& text) {
  Element value;
  if (last_member(object, name).get(value) != simdjson::SUCCESS || value.is_null()) return {};
  return read_string(object, name, text);
}

// The text of content that comes in parts: [{"type": "text", "text": ...}, ...].
Message read_parts(const simdjson::dom::array& parts, std::string& text) {
  for (const Element part : parts) {
    std::string type, piece;
    if (!part.is_object())
      return message("'content' has {} in its list, expected objects",
                     Message(type_name(part.type())));
    if (Message why_not = read_string(part, "type", type); !why_not.empty()) return why_not;
    if (type != "text") {
      return message("'content' has a part of the type '{}', expected text alone",
                     shown_text(type));
    }
    if (Message why_not = read_string(part, "text", piece); !why_not.empty()) return why_not;
    text += piece;
  }
  return {};
}

Message read_content(Element turn, std::string& text) {
  simdjson::dom::array parts;
  if (last_member(turn, "content").get(parts) == simdjson::SUCCESS) return read_parts(parts, text);
  return read_string(turn, "content", text);
}

Message read_turn(Element element, const std::vector<std::string>& roles, Turn& turn) {
  if (!element.is_object())
    return message("it is {}, expected an object", Message(type_name(element.type())));
  if (Message why_not = read_string(element, "role", turn.role); !why_not.empty()) return why_not;
  if (std::find(roles.begin(), roles.end(), turn.role) == roles.end()) {
    return message("the role '{}' has no place in the template, which has {}",
                   shown_text(turn.role), fmt::format("{}", fmt::join(roles, ", ")));
  }
  return read_content(element, turn.content);
}

Message read_messages(Element object, const std::vector<std::string>& roles, Dialogue& dialogue) {
  Element value;
  simdjson::dom::array list;
  if (last_member(object, "messages").get(value) != simdjson::SUCCESS) return "";
  if (value.get(list) != simdjson::SUCCESS)
    return message("'messages' is {}, expected an array", Message(type_name(value.type())));
  for (const Element element : list) {
    Turn turn;
    if (const Message why_not = read_turn(element, roles, turn); !why_not.empty())
      return message("message {}: {}", dialogue.turns.size() + 1, why_not);
    dialogue.turns.push_back(std::move(turn));
  }
  return {};
}

Message read_pair(Element object, Dialogue& dialogue) {
  std::string prompt, completion;
  if (Message why_not = read_string(object, "prompt", prompt); !why_not.empty()) return why_not;
  if (Message why_not = read_string(object, "completion", completion); !why_not.empty())
    return why_not;
  dialogue = pair_of(std::move(prompt), std::move(completion));
  return {};
}

Message read_alpaca(Element object, Dialogue& dialogue) {
  std::string instruction, input, output;
  if (Message why_not = read_string(object, "instruction", instruction); !why_not.empty())
    return why_not;
  if (Message why_not = read_optional_string(object, "input", input); !why_not.empty())
    return why_not;
  if (Message why_not = read_string(object, "output", output); !why_not.empty()) return why_not;
  dialogue = alpaca_of(std::move(instruction), input, std::move(output));
  return {};
}

}  // namespace

std::optional<RecordShape> shape_of(Element object) {
  for (const Shape& known : kShapes) {
    if (has(object, known.members[0]) && has(object, known.members[1])) return known.shape;
  }
  return std::nullopt;
}

Message missing_member(Element object) {
  for (const Shape& known : kShapes) {
    const bool first = has(object, known.members[0]), second = has(object, known.members[1]);
    if (first != second) return message("'{}' is missing", known.members[first ? 1 : 0]);
  }
  return {};
}

Message read_dialogue(Element object, RecordShape shape, const std::vector<std::string>& roles,
                      Dialogue& dialogue) {
  dialogue = {shape, {}};
  Message why_not;
  switch (shape) {
    case RecordShape::kPair: why_not = read_pair(object, dialogue); break;
    case RecordShape::kMessages: why_not = read_messages(object, roles, dialogue); break;
    case RecordShape::kAlpaca: why_not = read_alpaca(object, dialogue); break;
  }
  return why_not.empty() ? why_not_trained(dialogue) : why_not;
}

}  // namespace inkstone
