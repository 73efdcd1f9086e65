#include "tokenizer/word_pre_tokenizer.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/utf8.h"
#include "tokenizer/invalid_run.h"

namespace inkstone {
namespace {

enum class Kind : uint8_t {
  kUpper,    // \p{Lu}, \p{Lt}
  kLower,    // \p{Ll}
  kUncased,  // \p{Lm}, \p{Lo}
  kMark,     // \p{M}
  kNumber,   // \p{N}
  kLineEnd,  // \r, \n
  kSpace,    // the rest of \s
  kOther,
  kInvalid,
  kEnd,  // no character: the text ends
};

struct Char {
  Kind kind;
  size_t size_bytes;
};

Kind kind_of(uint32_t code_point) {
  if (code_point == '\r' || code_point == '\n') return Kind::kLineEnd;
  if (UnicodeClasses::instance()[code_point] == CharClass::kWhiteSpace) return Kind::kSpace;
  const uint32_t mask = U_GET_GC_MASK(static_cast<UChar32>(code_point));
  if ((mask & (U_GC_LU_MASK | U_GC_LT_MASK)) != 0) return Kind::kUpper;
  if ((mask & U_GC_LL_MASK) != 0) return Kind::kLower;
  if ((mask & U_GC_L_MASK) != 0) return Kind::kUncased;
  if ((mask & U_GC_M_MASK) != 0) return Kind::kMark;
  return (mask & U_GC_N_MASK) != 0 ? Kind::kNumber : Kind::kOther;
}

Char char_at(std::string_view text, size_t at) {
  static const std::array<Kind, 128> ascii = [] {
    std::array<Kind, 128> kinds{};
    for (uint32_t c = 0; c < 128; ++c) kinds[c] = kind_of(c);
    return kinds;
  }();
  if (at >= text.size()) return {Kind::kEnd, 0};
  const uint8_t byte = static_cast<uint8_t>(text[at]);
  if (byte < 0x80) return {ascii[byte], 1};
  const Utf8Step step = decode_utf8(text, at);
  return {step.ok ? kind_of(step.code_point) : Kind::kInvalid,
          static_cast<size_t>(step.size_bytes)};
}

bool is_letter(Kind kind) {
  return kind == Kind::kUpper || kind == Kind::kLower || kind == Kind::kUncased;
}
bool is_white_space(Kind kind) { return kind == Kind::kSpace || kind == Kind::kLineEnd; }
bool is_other(Kind kind) { return kind == Kind::kOther || kind == Kind::kMark; }
bool goes_before_word(Kind kind) { return is_other(kind) || kind == Kind::kSpace; }
// o200k's two classes, which overlap.
bool is_upper_part(Kind kind) {
  return kind == Kind::kUpper || kind == Kind::kUncased || kind == Kind::kMark;
}
bool is_lower_part(Kind kind) {
  return kind == Kind::kLower || kind == Kind::kUncased || kind == Kind::kMark;
}

template <typename Holds>
size_t run_end(std::string_view text, size_t at, Holds&& holds) {
  for (Char c = char_at(text, at); holds(c.kind); c = char_at(text, at)) at += c.size_bytes;
  return at;
}

// End of (?i:'s|'t|'re|'ve|'m|'ll|'d) at text[at], or `at`.
size_t contraction_end(std::string_view text, size_t at) {
  const auto lower = [&](size_t i) {
    return i < text.size() ? static_cast<char>(text[i] | 0x20) : '\0';
  };
  if (at >= text.size() || text[at] != '\'') return at;
  const char first = lower(at + 1), second = lower(at + 2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if (text.substr(at + 1, 2) == "\u017F") return at + 3;
  const bool is_three = ((first == 'r' || first == 'v') && second == 'e') ||
                        (first == 'l' && second == 'l');
  return is_three ? at + 3 : at;
}

// [upper part]*[lower part]+, or `at` when it does not match: the upper run gives characters back
// up to its last one that is a lower part as well.
size_t lower_word_end(std::string_view text, size_t at) {
  size_t last_shared_end = at;
  for (Char c = char_at(text, at); is_upper_part(c.kind); c = char_at(text, at)) {
    at += c.size_bytes;
    if (is_lower_part(c.kind)) last_shared_end = at;
  }
  const size_t end = run_end(text, at, is_lower_part);
  return end > at ? end : last_shared_end;
}

// \s*[\r\n]+ | \s+(?!\S) | \s+
size_t white_space_piece_end(std::string_view text, size_t at) {
  size_t end = at, last = at, after_line_end = at;
  Char c = char_at(text, at);
  for (; is_white_space(c.kind); c = char_at(text, end)) {
    last = end;
    end += c.size_bytes;
    if (c.kind == Kind::kLineEnd) after_line_end = end;
  }
  if (after_line_end > at) return after_line_end;
  const bool ends_text = c.kind == Kind::kEnd || c.kind == Kind::kInvalid;
  return ends_text || last == at ? end : last;
}

std::string spell(const WordRules& rules, std::string_view contraction) {
  const std::string ahead = R"([^\r\n\p{L}\p{N}]?)", c(contraction);
  const std::string upper = R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])",
                    lower = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])";
  std::string pattern = rules.is_cased ? ahead + upper + "*" + lower + "+" + c + "?|" + ahead +
                                             upper + "+" + lower + "*" + c + "?"
                                       : c + "|" + ahead + R"(\p{L}+)";
  pattern += rules.max_digits == 3 ? R"(|\p{N}{1,3})" : R"(|\p{N})";
  pattern += R"(| ?[^\s\p{L}\p{N}]+[\r\n)";
  pattern += rules.is_cased ? "/]*" : "]*";
  return pattern + R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

}  // namespace

std::optional<WordRules> find_word_rules(std::string_view pattern) {
  for (const bool is_cased : {false, true}) {
    for (const int max_digits : {3, 1}) {
      const WordRules rules{.is_cased = is_cased, .max_digits = max_digits};
      if (pattern == spell(rules, "(?i:'s|'t|'re|'ve|'m|'ll|'d)")) return rules;
      if (!is_cased && pattern == spell(rules, "'(?i:[sdmt]|ll|ve|re)")) return rules;
    }
  }
  return std::nullopt;
}

size_t WordPreTokenizer::cased_word_end(std::string_view text, size_t at) const {
  const Char first = char_at(text, at);
  const bool may_skip = goes_before_word(first.kind),
             may_start = is_letter(first.kind) || first.kind == Kind::kMark;
  const size_t second = at + first.size_bytes;
  size_t end = at;
  if (may_skip) end = lower_word_end(text, second);
  if (may_skip && end > second) return contraction_end(text, end);
  if (may_start && (end = lower_word_end(text, at)) > at) return contraction_end(text, end);
  const size_t begin = may_skip ? second : at;
  if (!may_skip && !may_start) return at;
  end = run_end(text, begin, is_upper_part);
  return end > begin ? contraction_end(text, end) : at;
}

// End of WORD, or `at`.
size_t WordPreTokenizer::word_end(std::string_view text, size_t at) const {
  if (rules_.is_cased) return cased_word_end(text, at);
  if (const size_t end = contraction_end(text, at); end > at) return end;
  const Char first = char_at(text, at);
  const size_t begin = goes_before_word(first.kind) ? at + first.size_bytes : at;
  const size_t end = run_end(text, begin, is_letter);
  return end > begin ? end : at;
}

size_t WordPreTokenizer::numbers_end(std::string_view text, size_t at) const {
  Char c = char_at(text, at);
  for (int i = 0; i < rules_.max_digits && c.kind == Kind::kNumber; ++i, c = char_at(text, at))
    at += c.size_bytes;
  return at;
}

//  ?[^\s\p{L}\p{N}]+[\r\n]*, or `at`.
size_t WordPreTokenizer::others_end(std::string_view text, size_t at) const {
  const size_t begin = text[at] == ' ' ? at + 1 : at;
  size_t end = run_end(text, begin, is_other);
  if (end == begin) return at;
  const size_t behind = text.find_first_not_of(rules_.is_cased ? "\r\n/" : "\r\n", end);
  return std::min(behind, text.size());
}

size_t WordPreTokenizer::piece_end(std::string_view text, size_t at) const {
  if (const size_t end = invalid_run_end(text, at); end > at) return end;
  if (const size_t end = word_end(text, at); end > at) return end;
  if (const size_t end = numbers_end(text, at); end > at) return end;
  if (const size_t end = others_end(text, at); end > at) return end;
  return white_space_piece_end(text, at);
}

void WordPreTokenizer::split(std::string_view text, const Take& take) const {
  split_by_piece_end(text, take, [&](size_t at) { return piece_end(text, at); });
}

bool WordPreTokenizer::is_cut(std::string_view text, size_t at) const {
  const char c = text[at];
  if (c == ' ' || c == '\t') return ends_in_ink(text.substr(0, at));
  if (!is_ascii_white_space(c)) return false;
  const auto before = static_cast<unsigned char>(text[at - 1]);
  return before < 0x80 && (u_isalpha(before) || u_isdigit(before));
}

}  // namespace inkstone
