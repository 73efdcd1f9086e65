#include "cli/command_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"

namespace inkstone::cli {
namespace {
namespace fs = std::filesystem;

constexpr const char* kFile = "command.json";
const std::set<std::string> kOfNoConsequence = {"output",        "resume",  "fall-back", "json",
                                                "threads",       "help",    "h",         "plan",
                                                "verify-resume", "stop-at", "find-lr"};
const std::set<std::string> kPaths = {"TEXT", "MODEL", "data", "tokenizer", "init"};

// From the root, so that it names the same from anywhere; "@list" stays a list.
std::string whole_path(const std::string& word) {
  if (word == "-") return word;
  const bool list = word.starts_with('@') && !fs::exists(word);
  if (word.size() == list) return word;  // an empty path, which is nowhere
  const std::string path = fs::absolute(word.substr(list)).lexically_normal().string();
  return list ? "@" + path : path;
}

bool is_positional(const std::string& name) { return name == "TEXT" || name == "MODEL"; }

// "--steps", "TEXT"
std::string shown_name(const std::string& name) { return is_positional(name) ? name : "--" + name; }

// How one command differs from the other, in one option.
Message difference(const std::string& name, const std::vector<std::string>* before,
                   const std::vector<std::string>* now) {
  const auto text = [](const std::vector<std::string>* words) {
    return words == nullptr ? Message(marked("nothing"))
                            : Message(fmt::format("'{}'", fmt::join(*words, "', '")));
  };
  return message("{} was {}, now {}", shown_name(name), text(before), text(now));
}

std::vector<Message> differences(const CommandRecord& before, const CommandRecord& now) {
  std::vector<Message> list;
  if (before.command != now.command)
    list.push_back(message("the command was '{}', now '{}'", before.command, now.command));
  std::set<std::string> names;
  for (const auto& [name, words] : before.given) names.insert(name);
  for (const auto& [name, words] : now.given) names.insert(name);
  for (const std::string& name : names) {
    const auto a = before.given.find(name), b = now.given.find(name);
    const auto* old_words = a == before.given.end() ? nullptr : &a->second;
    const auto* new_words = b == now.given.end() ? nullptr : &b->second;
    if (old_words != nullptr && new_words != nullptr && *old_words == *new_words) continue;
    list.push_back(difference(name, old_words, new_words));
  }
  return list;
}

}  // namespace

CommandRecord record_of(const CLI::App& command) {
  CommandRecord record{.command = command.get_name(), .given = {}};
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_single_name();
    if (option->count() == 0 || kOfNoConsequence.contains(name)) continue;
    std::vector<std::string>& words = record.given[name];
    for (const std::string& word : option->results())
      words.push_back(kPaths.contains(name) ? whole_path(word) : word);
  }
  return record;
}

Json to_json(const CommandRecord& record) {
  Json given = Json::object();
  for (const auto& [name, words] : record.given) given[name] = words;
  return {{"program", "inkstone"}, {"command", record.command}, {"given", given}};
}

CommandRecord command_record_from_json(const Json& json) {
  if (!json.is_object()) fail(ErrorCode::kInvalidData, "found no JSON object");
  CommandRecord record{.command = required(get_string(json, "command"), "command"), .given = {}};
  if (!json.contains("given") || !json["given"].is_object()) fail_missing_key("given");
  for (const auto& [name, words] : json["given"].items()) {
    if (!words.is_array()) fail(ErrorCode::kInvalidData, "'{}' is not a list", name);
    for (const Json& word : words) {
      if (!word.is_string()) fail(ErrorCode::kInvalidData, "'{}' is not a list of words", name);
      record.given[name].push_back(word.get<std::string>());
    }
  }
  return record;
}

std::optional<CommandRecord> read_command_record(const fs::path& run) {
  const fs::path file = run / kFile;
  if (!fs::exists(file)) return std::nullopt;
  const Json json = read_json(file);
  return with_context(message("reading '{}'", file.string()),
                      [&] { return command_record_from_json(json); });
}

void write_command_record(const CommandRecord& record, const fs::path& run) {
  write_json(run / kFile, to_json(record));
}

void require_same_command(const CommandRecord& now, const fs::path& run) {
  const auto before = read_command_record(run);
  if (!before) return;
  const auto list = differences(*before, now);
  if (list.empty()) return;
  Message all = list.front();
  for (size_t i = 1; i < list.size(); ++i) all = message("{}; {}", all, list[i]);
  fail(ErrorCode::kUsage,
       "the run folder '{0}' is not empty: it belongs to a run that began with another command "
       "({1}); go on with it by --resume {0}, or choose another -o",
       run.string(), all);
}

std::vector<std::string> words_of(const CommandRecord& record) {
  std::vector<std::string> words = {record.command};
  for (const auto& [name, values] : record.given) {
    if (is_positional(name)) continue;
    for (const std::string& value : values) words.push_back(fmt::format("--{}={}", name, value));
  }
  words.emplace_back("--");
  for (const char* name : {"MODEL", "TEXT"}) {
    const auto at = record.given.find(name);
    if (at == record.given.end()) continue;
    words.insert(words.end(), at->second.begin(), at->second.end());
  }
  return words;
}

}  // namespace inkstone::cli
