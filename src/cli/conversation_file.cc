#include "cli/conversation_file.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "cli/text_json.h"

namespace inkstone::cli {
namespace {

constexpr const char* kFormat = "inkstone conversation 1";

std::string text_from_json(const Json& turn, const char* key) {
  const bool bytes = turn.is_object() && turn.contains(key) && turn[key].is_array();
  if (!bytes) return required(get_string(turn, key), key);
  std::string text;
  for (const Json& byte : turn[key]) {
    if (!byte.is_number_unsigned() || byte.get<uint64_t>() > 255) {
      fail(ErrorCode::kInvalidData, "'{}' holds {}, expected bytes of 0 to 255", key, byte.dump());
    }
    text.push_back(static_cast<char>(byte.get<uint8_t>()));
  }
  return text;
}

}  // namespace

std::string format_conversation(const std::vector<Conversation::Turn>& turns) {
  Json list = Json::array();
  for (const auto& turn : turns) {
    list.push_back({{"user", text_to_json(turn.user)}, {"reply", text_to_json(turn.reply)}});
  }
  return Json{{"format", kFormat}, {"turns", list}}.dump(2) + "\n";
}

std::string plain_conversation(const std::vector<Conversation::Turn>& turns) {
  std::string text;
  for (const auto& turn : turns) text += shown_text(turn.user + turn.reply) + "\n";
  return text;
}

std::vector<Conversation::Turn> parse_conversation(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '{') {
    fail(ErrorCode::kInvalidData,
         "not a saved conversation: expected JSON, as /save writes it to a name that does not end "
         "in .txt");
  }
  const Json json = parse_json_object(text);
  const bool known = json.contains("format") && json["format"] == kFormat;
  if (!known || !json.contains("turns") || !json["turns"].is_array()) {
    fail(ErrorCode::kInvalidData, "not a saved conversation");
  }
  std::vector<Conversation::Turn> turns;
  for (const Json& turn : json["turns"]) {
    turns.push_back({text_from_json(turn, "user"), text_from_json(turn, "reply")});
  }
  return turns;
}

}  // namespace inkstone::cli
