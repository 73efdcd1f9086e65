#include "evaluate/task_texts.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "evaluate/python_text.h"

namespace inkstone::evaluate {
namespace {

// From each `open` to the next `close`: white space beside the two is dropped from what they hold.
std::string trimmed_between(std::string_view text, char open, char close) {
  std::string result;
  size_t at = 0;
  for (;;) {
    const size_t begin = text.find(open, at);
    const size_t end = begin == text.npos ? begin : text.find(close, begin + 1);
    if (end == text.npos) return result.append(text.substr(at));
    result.append(text.substr(at, begin + 1 - at));
    result.append(python_strip(text.substr(begin + 1, end - begin - 1))) += close;
    at = end + 1;
  }
}

// "/' 5/", with any digit, becomes the text "/'[0-9]/": so the rule has it.
std::string with_quoted_digits(std::string_view text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const bool is_match = rest.size() >= 5 && rest.starts_with("/' ") && rest[3] >= '0' &&
                          rest[3] <= '9' && rest[4] == '/';
    result += is_match ? "/'[0-9]/" : rest.substr(0, 1);
    at += is_match ? 5 : 1;
  }
  return result;
}

std::string without_brackets(std::string_view text) {
  std::string result;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text[at] == '[' ? text.find_first_of("]\n", at + 1) : text.npos;
    const bool is_match = end != text.npos && text[end] == ']';
    if (!is_match) result += text[at];
    at = is_match ? end + 1 : at + 1;
  }
  return result;
}

template <size_t N>
std::string replaced(std::string text,
                     const std::array<std::pair<std::string_view, std::string_view>, N>& pairs) {
  for (const auto& [from, to] : pairs) text = replace_all(text, from, to);
  return text;
}

// One character by its place; from the end where the place is negative, as Python counts.
std::string_view character_at(std::string_view text, int64_t place) {
  const int64_t count = count_characters(text);
  const size_t begin = byte_of_character(text, place < 0 ? count + place : place);
  if (begin == text.size()) {
    fail(ErrorCode::kInvalidData, "found the place {}, expected one of the {} characters", place,
         count);
  }
  return text.substr(begin, static_cast<size_t>(decode_utf8(text, begin).size_bytes));
}

// Up to its first white space.
std::string first_word(std::string_view text) {
  text = python_strip(text);
  size_t end = 0;
  while (end < text.size()) {
    const Utf8Step step = decode_utf8(text, end);
    if (is_python_space(step.code_point)) break;
    end += static_cast<size_t>(step.size_bytes);
  }
  return std::string(text.substr(0, end));
}

}  // namespace

std::string wikitext_detokenized(std::string_view page) {
  using Pair = std::pair<std::string_view, std::string_view>;
  constexpr std::array kPunctuation = {Pair{" @-@ ", "-"}, Pair{" @,@ ", ","}, Pair{" @.@ ", "."},
                                       Pair{" : ", ": "},  Pair{" ; ", "; "},  Pair{" . ", ". "},
                                       Pair{" ! ", "! "},  Pair{" ? ", "? "},  Pair{" , ", ", "}};
  constexpr std::array kRest = {Pair{"= = = =", "===="},    Pair{"= = =", "==="}, Pair{"= =", "=="},
                                Pair{" \u00B0 ", "\u00B0"}, Pair{" \n", "\n"},    Pair{"\n ", "\n"},
                                Pair{" N ", " 1 "},         Pair{" 's", "'s"}};
  std::string text = with_quoted_digits(replace_all(page, "s '", "s'"));
  text = replaced(std::move(text), kPunctuation);
  constexpr std::array kPairs = {std::pair{'(', ')'}, std::pair{'[', ']'}, std::pair{'{', '}'},
                                 std::pair{'"', '"'}, std::pair{'\'', '\''}};
  for (const auto& [open, close] : kPairs) text = trimmed_between(text, open, close);
  return replaced(std::move(text), kRest);
}

std::string hellaswag_cleaned(std::string_view text) {
  const std::string titled = replace_all(python_strip(text), " [title]", ". ");
  return replace_all(without_brackets(titled), "  ", " ");
}

std::string wsc273_option(std::string_view text, std::string_view pronoun, int64_t place,
                          std::string option) {
  constexpr std::array<std::string_view, 5> kPossessives = {"my", "his", "her", "our", "their"};
  constexpr std::array<std::string_view, 11> kCapitals = {"A",    "An", "The", "She", "He",   "It",
                                                          "They", "My", "His", "Her", "Their"};
  if (std::ranges::count(kPossessives, python_lower(pronoun)) > 0) option += "'s";
  const std::string word = first_word(option);
  const bool begins_sentence = character_at(text, place - 2) == ".";
  if (begins_sentence || std::ranges::count(kCapitals, word) == 0) return option;
  return replace_all(option, word, python_lower(word));
}

}  // namespace inkstone::evaluate
