#include "tokenizer/special_roles.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"

namespace inkstone {
namespace {

Json parse_object(const char* name, const std::string& text) {
  if (text.empty()) return Json::object();
  return with_context(name, [&] { return parse_json_object(text); });
}

// An added token is written as its text, or as {"content": its text, ...}.
std::optional<std::string> role_of(const Json& json, const char* key) {
  const auto at = json.find(key);
  if (at == json.end() || !at->is_object()) return get_string(json, key);
  return with_context(key, [&] { return required(get_string(*at, "content"), "content"); });
}

std::string text_of(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

SpecialRoles read_special_roles(const TokenizerFiles& files) {
  SpecialRoles roles;
  for (const auto& [name, text] : {std::pair{"tokenizer_config.json", &files.config},
                                   std::pair{"special_tokens_map.json", &files.map}}) {
    const Json json = parse_object(name, *text);
    with_context(name, [&] {
      if (!roles.begin) roles.begin = role_of(json, "bos_token");
      if (!roles.end) roles.end = role_of(json, "eos_token");
      if (!roles.mask) roles.mask = role_of(json, "mask_token");
    });
  }
  return roles;
}

std::string with_special_roles(const std::string& file, const std::optional<std::string>& begin,
                               const std::optional<std::string>& end) {
  if (!begin && !end) return file;
  Json json = parse_object("special tokens", file);
  if (begin) json["bos_token"] = *begin;
  if (end) json["eos_token"] = *end;
  return text_of(json);
}

std::string with_mask_role(const std::string& file, const std::string& mask) {
  if (file.empty()) return file;
  Json json = parse_object("special tokens", file);
  json["mask_token"] = mask;
  return text_of(json);
}

}  // namespace inkstone
