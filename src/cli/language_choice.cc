#include "cli/language_choice.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

#include "base/error.h"

namespace inkstone::cli {
namespace {

// "zh" of "zh_CN.GBK@stroke".
std::string_view language_in(std::string_view locale) {
  return locale.substr(0, locale.find_first_of("_.@-"));
}

bool is_known(std::string_view language) { return std::ranges::count(languages(), language) > 0; }

std::string_view value_of(const Environment& environment, const char* name) {
  const char* value = environment(name);
  return value == nullptr ? "" : value;
}

std::string_view locale_of_messages(const Environment& environment) {
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    if (const std::string_view value = value_of(environment, name); !value.empty()) return value;
  }
  return "C";
}

}  // namespace

std::string language_of(const Environment& environment) {
  const std::string_view language = language_in(locale_of_messages(environment));
  if (language == "C" || language == "POSIX") return "en";
  std::string_view list = value_of(environment, "LANGUAGE");
  if (list.empty()) list = language;
  while (!list.empty()) {
    const size_t end = std::min(list.find(':'), list.size());
    if (const auto listed = language_in(list.substr(0, end)); is_known(listed))
      return std::string(listed);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return "en";
}

std::string take_language(std::vector<std::string>& words) {
  constexpr std::string_view kOption = "--lang";
  std::string chosen;
  for (auto at = words.begin(); at != words.end() && *at != "--";) {
    const bool is_next = *at == kOption;
    if (!is_next && !at->starts_with("--lang=")) {
      ++at;
      continue;
    }
    chosen = is_next ? "" : at->substr(kOption.size() + 1);
    at = words.erase(at);
    if (is_next && at != words.end()) {
      chosen = *at;
      at = words.erase(at);
    }
    if (chosen.empty()) {
      fail(ErrorCode::kUsage, "--lang needs a language, one of {}", fmt::join(languages(), ", "));
    }
  }
  return chosen;
}

}  // namespace inkstone::cli
