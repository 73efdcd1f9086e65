// Templates of conversations: their file, their names, and the Jinja that says the same.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "inkstone/turns.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kTurnsVersion = 1;
constexpr uint64_t kLargestTemplate_bytes = uint64_t{1} << 20;

// A blank at the end of `before` would be taken by the first word of the content, and a model that
// is asked with the blank alone has never seen it so: the lines end instead.
const std::pair<const char*, TurnTemplate> kBuiltInTurns[] = {
    {"turns",
     {.begin = "",
      .roles = {{"system", "System:\n", "\n\n"},
                {"user", "User:\n", "\n\n"},
                {"assistant", "Assistant:\n", ""}}}},
    {"plain",
     {.begin = "", .roles = {{"system", "", ""}, {"user", "", ""}, {"assistant", "", ""}}}}};

std::string text_in(const Json& object, const char* key) {
  std::string text = get_string(object, key).value_or("");
  if (!is_valid_utf8(text)) fail(ErrorCode::kInvalidData, "'{}' is not valid UTF-8", key);
  return text;
}

const Json& object_in(const Json& json, const char* key) {
  const auto at = json.find(key);
  if (at == json.end()) fail_missing_key(key);
  if (!at->is_object())
    fail(ErrorCode::kInvalidData, "'{}' is {}, expected an object", key, json_kind(*at));
  return *at;
}

void require_role(const TurnTemplate& turns, std::string_view name) {
  if (turns.find(name) != nullptr) return;
  fail(ErrorCode::kInvalidData, "'roles' has no '{}', expected user and assistant at least", name);
}

// A misspelt key would be a text that silently is not there.
void refuse_other_keys(const Json& object, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    fail(ErrorCode::kInvalidData, "there is no key '{}' in a template of turns, expected {}",
         shown_text(key), fmt::join(known, ", "));
  }
}

// A string of Jinja's, which reads the escapes of Python's.
std::string jinja_string(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\\\"; break;
      case '\'': out += "\\'"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: out += c;
    }
  }
  return out + "'";
}

// "{{ 'text' }}"; nothing of an empty one.
std::string jinja_text(std::string_view text) {
  return text.empty() ? "" : "{{ " + jinja_string(text) + " }}";
}

std::string jinja_of(const TurnTemplate::Role& role) {
  const bool trained = role.name == kAssistant;
  return jinja_text(role.before) +
         (trained ? "{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}"
                  : "{{ message['content'] }}") +
         jinja_text(role.after);
}

}  // namespace

const TurnTemplate::Role* TurnTemplate::find(std::string_view role) const {
  const auto at = std::find_if(roles.begin(), roles.end(),
                               [&](const Role& known) { return known.name == role; });
  return at == roles.end() ? nullptr : &*at;
}

std::vector<std::string> TurnTemplate::role_names() const {
  std::vector<std::string> names;
  for (const Role& role : roles) names.push_back(role.name);
  return names;
}

TurnTemplate parse_turn_template(std::string_view text) {
  const Json json = parse_json_object(text);
  refuse_other_keys(json, {"version", "begin", "roles"});
  required(get_integer(json, "version", kTurnsVersion, kTurnsVersion), "version");
  TurnTemplate turns;
  turns.begin = text_in(json, "begin");
  for (const auto& [name, role] : object_in(json, "roles").items()) {
    if (!role.is_object()) {
      fail(ErrorCode::kInvalidData, "the role '{}' is {}, expected an object", shown_text(name),
           json_kind(role));
    }
    if (name.empty()) fail(ErrorCode::kInvalidData, "a role has no name");
    refuse_other_keys(role, {"before", "after"});
    turns.roles.push_back({name, text_in(role, "before"), text_in(role, "after")});
  }
  require_role(turns, kUser);
  require_role(turns, kAssistant);
  return turns;
}

std::string to_json_text(const TurnTemplate& turns) {
  Json roles = Json::object();
  for (const TurnTemplate::Role& role : turns.roles)
    roles[role.name] = {{"before", role.before}, {"after", role.after}};
  const Json json = {
      {"version", kTurnsVersion}, {"begin", turns.begin}, {"roles", std::move(roles)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::vector<std::string> turn_template_names() {
  std::vector<std::string> names;
  for (const auto& [name, turns] : kBuiltInTurns) names.emplace_back(name);
  return names;
}

TurnTemplate load_turn_template(const std::string& name_or_file) {
  for (const auto& [name, turns] : kBuiltInTurns) {
    if (name_or_file == name) return turns;
  }
  if (!fs::exists(name_or_file)) {
    fail(ErrorCode::kNotFound,
         "there is no template of turns '{}': it is neither a file nor one of {}", name_or_file,
         fmt::join(turn_template_names(), ", "));
  }
  const std::string text = read_file(name_or_file, kLargestTemplate_bytes);
  return with_context(message("reading the template of turns '{}'", name_or_file),
                      [&] { return parse_turn_template(text); });
}

std::string jinja_of(const TurnTemplate& turns) {
  std::string text = jinja_text(turns.begin) + "{% for message in messages %}";
  const char* word = "if";
  for (const TurnTemplate::Role& role : turns.roles) {
    text += fmt::format("{{% {} message['role'] == {} %}}", word, jinja_string(role.name)) +
            jinja_of(role);
    word = "elif";
  }
  text +=
      "{% else %}{{ raise_exception('the template has no role ' + message['role']) }}{% endif %}"
      "{% endfor %}";
  const std::string& before = turns.find(kAssistant)->before;
  if (!before.empty())
    text += "{% if add_generation_prompt %}" + jinja_text(before) + "{% endif %}";
  return text;
}

}  // namespace inkstone
