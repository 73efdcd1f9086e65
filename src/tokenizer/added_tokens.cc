// The tokenizer's own tokenizer.json with more entries, read anew.
#include "tokenizer/added_tokens.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "inkstone/turns.h"
#include "tokenizer/tokenizer_impl.h"
#include "tokenizer/tokenizer_json.h"

namespace inkstone {
namespace {

Json added_token_json(TokenId id, const std::string& text) {
  return {{"id", id},        {"content", text},     {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

// The place behind a string of valid JSON, which begins at `at`.
size_t end_of_string(std::string_view json, size_t at) {
  for (++at; json[at] != '"'; ++at) at += json[at] == '\\';
  return at + 1;
}

size_t skip_white_space(std::string_view json, size_t at) {
  return std::min(json.find_first_not_of(" \t\r\n", at), json.size());
}

// Where the value lies that begins at `at`: up to the comma or the bracket behind it.
ByteRange value_at(std::string_view json, size_t at) {
  const size_t begin = at;
  for (int depth = 0; at < json.size();) {
    const char c = json[at];
    if (c == '"') {
      at = end_of_string(json, at);
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}')) break;
    depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    ++at;
  }
  return {begin, at};
}

// The value of a member of the outermost object of a valid text.
std::optional<ByteRange> find_member(std::string_view json, std::string_view key) {
  for (size_t at = json.find('{') + 1;;) {
    at = skip_white_space(json, at);
    if (at == json.size() || json[at] != '"') return std::nullopt;
    const size_t end = end_of_string(json, at);
    const std::string_view name = json.substr(at + 1, end - at - 2);
    const ByteRange value = value_at(json, skip_white_space(json, json.find(':', end) + 1));
    if (name == key) return value;
    at = value.end + (json[value.end] == ',');
  }
}

// tokenizer.json with entries for the texts that are no special tokens yet; everything else stays
// as it is, to the byte. A text that is an ordinary token keeps its id.
std::string with_entries(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  std::string json = tokenizer_json_text(tokenizer.impl());
  const auto place = find_member(json, "added_tokens");
  Json list = place ? parse_json(
                          std::string_view(json).substr(place->begin, place->end - place->begin))
                    : Json();
  if (list.is_null()) list = Json::array();
  auto next = static_cast<TokenId>(tokenizer.vocab_size());
  for (const std::string& text : texts) {
    if (text.empty()) fail(ErrorCode::kInvalidData, "a special token is empty");
    if (tokenizer.special_token(text)) continue;
    const auto ordinary = tokenizer.token_id(text);
    list.push_back(added_token_json(ordinary ? *ordinary : next++, text));
  }
  if (place) return json.replace(place->begin, place->end - place->begin, list.dump());
  return json.insert(json.find('{') + 1, "\"added_tokens\": " + list.dump() + ",");
}

}  // namespace

std::optional<TokenId> mask_token(const Tokenizer& tokenizer) {
  return tokenizer.impl().roles.mask;
}

Tokenizer with_special_tokens(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                              const std::optional<std::string>& mask) {
  const Tokenizer::Impl& impl = tokenizer.impl();
  TokenizerFiles files = impl.files;
  files.tokenizer = with_entries(tokenizer, texts);
  if (mask) {
    files.config = with_mask_role(files.config, *mask);
    files.map = with_mask_role(files.map, *mask);
  }
  TokenizerSpec spec = parse_tokenizer_json(files.tokenizer);
  spec.roles = read_special_roles(files);
  if (mask) spec.roles.mask = mask;
  spec.roles.begin_id = impl.roles.begin;
  spec.roles.end_ids = impl.roles.end_marks;
  spec.files = std::move(files);
  const Tokenizer made = Tokenizer::Impl::make(std::move(spec));
  const TurnTemplate* turns = tokenizer.turn_template();
  return turns != nullptr ? made.with_turn_template(*turns) : made;
}

}  // namespace inkstone
