#include "tokenizer/regex_pre_tokenizer.h"

#include <unicode/regex.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <new>
#include <numeric>

#include "base/error.h"
#include "tokenizer/invalid_run.h"

namespace inkstone {
namespace {

constexpr size_t kContext_bytes = 256;  // before a piece, for lookbehind
constexpr size_t kMinWindow_bytes = 1024;
constexpr int32_t kStackLimit_bytes = 32 << 20;
// Of all matches in a window; ICU counts ten thousand operations as a step. A character of a long
// window may take a million.
constexpr int32_t kTimeLimit_steps = 2000, kCharactersOfStep = 100;

// UTF-8, valid and without a cut character, as UTF-16.
icu::UnicodeString to_utf16(std::string_view text) {
  if (text.size() > std::numeric_limits<int32_t>::max()) {
    fail(ErrorCode::kUnsupported,
         "a regular expression cannot match in {} bytes at once, at most 2 GiB", text.size());
  }
  auto converted = icu::UnicodeString::fromUTF8({text.data(), static_cast<int32_t>(text.size())});
  if (converted.isBogus()) throw std::bad_alloc();
  return converted;
}

// Of valid UTF-8.
int32_t utf16_length(std::string_view text) {
  const auto units = [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return (byte & 0xC0) == 0x80 ? 0 : byte >= 0xF0 ? 2 : 1;
  };
  return std::transform_reduce(text.begin(), text.end(), 0, std::plus<>(), units);
}

// The first place from `at` on where a character of valid text begins.
size_t character_begin(std::string_view text, size_t at) {
  while (at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) ++at;
  return at;
}

// Places in UTF-16, ascending, to places in UTF-8.
class Places {
 public:
  Places(const icu::UnicodeString& text, size_t begin_bytes) : text_(text), bytes_(begin_bytes) {}
  size_t at(int32_t unit) {
    while (unit_ < unit) {
      const UChar32 c = text_.char32At(unit_);
      unit_ += U16_LENGTH(c);
      bytes_ += static_cast<size_t>(U8_LENGTH(c));
    }
    return bytes_;
  }

 private:
  const icu::UnicodeString& text_;
  int32_t unit_ = 0;
  size_t bytes_;
};

}  // namespace

struct RegexPreTokenizer::Compiled {
  std::string source;
  std::unique_ptr<const icu::RegexPattern> pattern;

  [[noreturn]] void fail_match(UErrorCode status) const {
    fail(ErrorCode::kUnsupported, "matching the pre-tokenizer's regular expression '{}' failed: {}",
         source, u_errorName(status));
  }
};

RegexPreTokenizer::RegexPreTokenizer(const std::string& pattern) {
  auto compiled = std::make_unique<Compiled>();
  compiled->source = pattern;
  UErrorCode status = U_ZERO_ERROR;
  UParseError place{};
  // Ruby's ^ and $ are those of lines, and only \n ends a line.
  compiled->pattern.reset(
      icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(to_icu_syntax(pattern)),
                                 UREGEX_MULTILINE | UREGEX_UNIX_LINES, place, status));
  if (U_FAILURE(status)) {
    fail(ErrorCode::kUnsupported, "the regular expression '{}' is not supported: {}", pattern,
         u_errorName(status));
  }
  compiled_ = std::move(compiled);
}

RegexPreTokenizer::~RegexPreTokenizer() = default;

// The splitting of one text.
class RegexPreTokenizer::Matching {
 public:
  Matching(const Compiled& compiled, std::string_view text, const Take& take)
      : compiled_(compiled), text_(text), batch_(take) {}

  void split() {
    for (size_t at = 0; at < text_.size();) {
      if (const size_t end = invalid_run_end(text_, at); end > at) add(end);
      at = last_;
      const size_t end = valid_end(text_, at);
      split_valid(at, end);
      at = end;
    }
    batch_.flush();
  }

 private:
  void add(size_t end) {
    if (end > last_) batch_.add(last_ = end);
  }

  void make_matcher() {
    UErrorCode status = U_ZERO_ERROR;
    matcher_.reset(compiled_.pattern->matcher(status));
    if (U_FAILURE(status)) compiled_.fail_match(status);
    matcher_->setStackLimit(kStackLimit_bytes, status);
    matcher_->useTransparentBounds(true).useAnchoringBounds(false);
    if (U_FAILURE(status)) compiled_.fail_match(status);
  }

  // A match that touches a window's end might go on behind it, so it is left for the next window,
  // which is twice as long when this one gave nothing.
  void split_valid(size_t begin, size_t end) {
    for (size_t at = begin, size = kMinWindow_bytes; at < end; at = last_) {
      const size_t context = character_begin(text_,
                                             std::max(begin, at - std::min(at, kContext_bytes)));
      const size_t window_end = end - at > size ? character_begin(text_, at + size) : end;
      split_window(context, window_end, window_end == end);
      size = last_ > at ? kMinWindow_bytes : 2 * size;
    }
  }

  // From last_ on, which is behind `context`.
  void split_window(size_t context, size_t end, bool is_whole) {
    if (!matcher_) make_matcher();
    UErrorCode status = U_ZERO_ERROR;
    const int32_t first = utf16_length(text_.substr(context, last_ - context));
    window_ = to_utf16(text_.substr(context, end - context));
    matcher_->reset(window_).region(first, window_.length(), status);
    matcher_->setTimeLimit(kTimeLimit_steps + window_.length() / kCharactersOfStep, status);
    Places places(window_, context);
    bool is_sure = true;
    while (matcher_->find(status) && (is_sure = is_whole || !matcher_->hitEnd())) {
      add(places.at(matcher_->start(status)));
      add(places.at(matcher_->end(status)));
    }
    if (U_FAILURE(status)) compiled_.fail_match(status);
    if (is_whole) add(end);
  }

  const Compiled& compiled_;
  std::string_view text_;
  PieceBatch batch_;
  size_t last_ = 0;  // the end of the last piece
  icu::UnicodeString window_;
  std::unique_ptr<icu::RegexMatcher> matcher_;  // refers to window_; none before it is needed
};

void RegexPreTokenizer::split(std::string_view text, const Take& take) const {
  Matching(*compiled_, text, take).split();
}

}  // namespace inkstone
