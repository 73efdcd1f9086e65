// Making messages: the English stands in the source, and is the key of the catalogues in po/.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <type_traits>

#include "inkstone/message.h"

namespace inkstone {

// The text in the language that is set; itself, if the catalogue lacks it.
std::string translated(std::string_view english);

// Names a text for the catalogue where it stands and is translated only later.
constexpr const char* marked(const char* english) { return english; }

namespace detail {

template <typename T>
constexpr bool kIsMessage = std::is_same_v<std::remove_cvref_t<T>, Message>;

// The type as which a message's argument is formatted.
template <typename T>
using Formatted = std::conditional_t<kIsMessage<T>, std::string, T>;

template <typename T>
const auto& in_english(const T& value) {
  if constexpr (kIsMessage<T>) {
    return value.english();
  } else {
    return value;
  }
}

template <typename T>
decltype(auto) in_language(const T& value) {
  if constexpr (kIsMessage<T>) {
    return value.shown();
  } else {
    return (value);
  }
}

template <typename... Args>
std::string format_with(fmt::string_view format, const Args&... args) {
  return fmt::vformat(format, fmt::make_format_args(args...));
}

// nullptr: the language has none, or is English.
const char* translation_of(const char* english);

// The English, for a translation whose fields do not fit.
template <typename... Args>
std::string format_translation(const char* format, const std::string& english,
                               const Args&... args) {
  try {
    return format_with(format, in_language(args)...);
  } catch (const fmt::format_error&) {
    return english;
  }
}

}  // namespace detail

// The format filled in, in English and in the language; an argument that is a message itself is
// each time in the language of the whole.
template <typename... Args>
Message message(fmt::format_string<detail::Formatted<Args>...> format, Args&&... args) {
  const fmt::string_view view = format;
  const std::string key(view.data(), view.size());
  std::string english = detail::format_with(view, detail::in_english(args)...);
  const char* translation = detail::translation_of(key.c_str());
  if (translation == nullptr) {
    // Its arguments may be in the language all the same.
    if constexpr ((detail::kIsMessage<Args> || ...)) translation = key.c_str();
  }
  if (translation == nullptr) return Message(std::move(english));
  std::string shown = detail::format_translation(translation, english, args...);
  return Message(std::move(english), std::move(shown));
}

// The same where only people read it.
template <typename... Args>
std::string localized(fmt::format_string<detail::Formatted<Args>...> format, Args&&... args) {
  return message<Args...>(format, std::forward<Args>(args)...).shown();
}

}  // namespace inkstone
