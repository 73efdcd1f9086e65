// Oniguruma's regular expressions in ICU's syntax.
#include <cctype>

#include "base/error.h"
#include "tokenizer/regex_pre_tokenizer.h"

namespace inkstone {
namespace {

// Oniguruma's \w; outside brackets it takes the numbers of Latin-1 in.
constexpr std::string_view kWordCharacter = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})",
                           kLatin1Numbers = R"(\u00B2\u00B3\u00B9\u00BC-\u00BE)";

class Translation {
 public:
  explicit Translation(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    while (at_ < pattern_.size()) step();
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(const Message& what) const {
    fail(ErrorCode::kUnsupported, "{} in the regular expression '{}' is not supported", what,
         pattern_);
  }

  char peek(size_t ahead = 0) const {
    return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0';
  }
  bool comes(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  void copy(size_t count) {
    out_ += pattern_.substr(at_, count);
    at_ += count;
  }

  void step();
  void escape();
  void property();
  void code_point();
  void bracket();
  void group();
  void after_interval();
  void replace(size_t count, std::string_view by) {
    out_ += by;
    at_ += count;
  }

  std::string_view pattern_;
  size_t at_ = 0;
  int depth_ = 0;  // of brackets
  std::string out_;
};

void Translation::step() {
  const char c = peek();
  if (c == '\\') return escape();
  if (c == '[' || (c == ']' && depth_ > 0)) return bracket();
  if (depth_ > 0) {
    if (comes("--")) refuse(marked("'--' in brackets"));
    // To ICU they take away and intersect; to Oniguruma they are characters.
    if (comes("-[") || comes("&[")) refuse(marked("'-[' or '&[' in brackets"));
    if (comes("&&")) return copy(2);
    return copy(1);
  }
  if (comes("(?")) return group();
  if (c == '}') return after_interval();
  if (c == '#') return replace(1, R"(\#)");
  if (c == '^') return replace(1, R"((?:\A|^(?!\z)))");  // no line begins at the text's end
  copy(1);
}

void Translation::bracket() {
  if (comes("[:")) refuse(marked("a POSIX bracket"));
  if (peek() == ']') {
    --depth_;
    return copy(1);
  }
  ++depth_;
  copy(1);
  if (peek() == '^') copy(1);
  if (peek() == ']') replace(1, R"(\])");
}

// To Oniguruma x{1,3}+ is (x{1,3})+ and x{3}? is (x{3})?, to ICU they are possessive and lazy.
void Translation::after_interval() {
  const size_t open = pattern_.substr(0, at_).rfind('{');
  const bool has_comma = open != std::string_view::npos &&
                         pattern_.substr(open, at_ - open).find(',') != std::string_view::npos;
  copy(1);
  if (peek() == '+') refuse("'}+'");
  if (peek() == '?' && !has_comma) refuse(marked("'}?' behind a single number"));
}

// (?i) holds for the alternatives behind it too, but in Oniguruma they become alternatives of what
// it holds for.
void Translation::group() {
  if (comes("(?i)") && at_ > 0) refuse(marked("'(?i)' behind something else"));
  for (const std::string_view known :
       {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?i:", "(?i)"}) {
    if (comes(known)) return copy(known.size());
  }
  refuse(fmt::format("'{}'", pattern_.substr(at_, 4)));
}

// \p{L}, \P{L}, \p{^L}
void Translation::property() {
  const size_t close = pattern_.find('}', at_);
  if (peek(2) != '{' || close == std::string_view::npos)
    refuse(marked("a property without braces"));
  if (peek(3) != '^') return copy(close + 1 - at_);
  out_ += peek(1) == 'p' ? R"(\P{)" : R"(\p{)";
  at_ += 4;
  copy(close + 1 - at_);
}

// \x41, \x{4E00}, \u4E00; \xE4 would be a byte.
void Translation::code_point() {
  const bool is_byte = peek(1) == 'x' && peek(2) != '{';
  if (is_byte && peek(2) >= '8') refuse(marked("\\x80 and above"));
  const size_t close = peek(2) == '{' ? pattern_.find('}', at_) : std::string_view::npos;
  copy(close != std::string_view::npos ? close + 1 - at_ : 2);
}

void Translation::escape() {
  const char c = peek(1);
  const bool inside = depth_ > 0;
  const std::string word = std::string(kWordCharacter) + std::string(inside ? "" : kLatin1Numbers);
  switch (c) {
    case 's': return replace(2, R"(\p{White_Space})");
    case 'S': return replace(2, R"(\P{White_Space})");
    case 'd': return replace(2, R"(\p{Nd})");
    case 'D': return replace(2, R"(\P{Nd})");
    case 'w': return replace(2, "[" + word + "]");
    case 'W': return replace(2, "[^" + word + "]");
    case 'h': return replace(2, inside ? "0-9A-Fa-f" : "[0-9A-Fa-f]");
    case 'v': return replace(2, R"(\x0B)");
    case 'p':
    case 'P': return property();
    case 'x':
    case 'u': return code_point();
    case 'n':
    case 'r':
    case 't':
    case 'f':
    case 'a':
    case 'e': return copy(2);
    default: break;
  }
  if (c == '\0') refuse(marked("'\\' without a character behind it"));
  if (std::isalnum(static_cast<unsigned char>(c)) != 0) refuse(fmt::format("'\\{}'", c));
  copy(2);
}

}  // namespace

std::string to_icu_syntax(std::string_view pattern) { return Translation(pattern).run(); }

std::string quote_regex(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    if (std::ispunct(static_cast<unsigned char>(c)) != 0) quoted += '\\';
    quoted += c;
  }
  return quoted;
}

}  // namespace inkstone
