#include "tokenizer/regex_pre_tokenizer.h"

#include <unicode/regex.h>
#include <unicode/unistr.h>

#include <algorithm>

#include "base/error.h"
#include "tokenizer/invalid_run.h"

namespace inkstone {
namespace {

constexpr size_t kContext_bytes = 256;    // before a piece, for lookbehind
constexpr size_t kMinWindow_bytes = 1024;
constexpr int32_t kStackLimit_bytes = 32 << 20;
constexpr int32_t kTimeLimit_steps = 2000;  // of one match; ICU counts ten thousand operations as a step

// UTF-8, valid and without a cut character, as UTF-16.
icu::UnicodeString to_utf16(std::string_view text) {
  return icu::UnicodeString::fromUTF8({text.data(), static_cast<int32_t>(text.size())});
}

// Where the valid text that ends at `at` begins, at most kContext_bytes before.
size_t context_begin(std::string_view text, size_t at) {
  size_t begin = at > kContext_bytes ? at - kContext_bytes : 0;
  for (size_t i = begin; i < at;) {
    const Utf8Step step = decode_utf8(text, i);
    i += static_cast<size_t>(step.size_bytes);
    if (!step.ok) begin = i;
  }
  return begin;
}

// The valid text from `at` on, at most `limit` bytes and whole characters.
size_t window_end(std::string_view text, size_t at, size_t limit) {
  const size_t begin = at;
  while (at < text.size()) {
    const Utf8Step step = decode_utf8(text, at);
    if (!step.ok || at + static_cast<size_t>(step.size_bytes) - begin > limit) break;
    at += static_cast<size_t>(step.size_bytes);
  }
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
    fail(ErrorCode::kUnsupported, "matching the pre-tokenizer's regular expression '{}' failed: {}", source,
         u_errorName(status));
  }
};

RegexPreTokenizer::RegexPreTokenizer(const std::string& pattern) {
  auto compiled = std::make_unique<Compiled>();
  compiled->source = pattern;
  UErrorCode status = U_ZERO_ERROR;
  UParseError place{};
  // Ruby's ^ and $ are those of lines, and only \n ends a line.
  compiled->pattern.reset(icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(to_icu_syntax(pattern)),
                                                     UREGEX_MULTILINE | UREGEX_UNIX_LINES, place, status));
  if (U_FAILURE(status)) {
    fail(ErrorCode::kUnsupported, "the regular expression '{}' is not supported: {}", pattern, u_errorName(status));
  }
  compiled_ = std::move(compiled);
}

RegexPreTokenizer::~RegexPreTokenizer() = default;

size_t RegexPreTokenizer::split(std::string_view text, size_t at, std::span<size_t> ends) const {
  size_t count = 0;
  while (at < text.size() && count < ends.size()) {
    if (const size_t end = invalid_run_end(text, at); end > at) {
      ends[count++] = end;
    } else {
      count += split_valid(text, at, ends.subspan(count));
    }
    at = ends[count - 1];
  }
  return count;
}

// Matches in a window of the text; a match that touches the window's end might go on behind it, so it is left for
// the next window, which is twice as long when this one gave nothing.
size_t RegexPreTokenizer::split_valid(std::string_view text, size_t at, std::span<size_t> ends) const {
  const size_t begin = context_begin(text, at);
  for (size_t limit = std::max(kMinWindow_bytes, 8 * ends.size());; limit *= 2) {
    const size_t end = window_end(text, at, limit);
    const bool is_whole = end == text.size() || !decode_utf8(text, end).ok;
    const icu::UnicodeString window = to_utf16(text.substr(begin, end - begin));
    const int32_t first = to_utf16(text.substr(begin, at - begin)).length();
    UErrorCode status = U_ZERO_ERROR;
    const std::unique_ptr<icu::RegexMatcher> matcher(compiled_->pattern->matcher(window, status));
    if (U_FAILURE(status)) compiled_->fail_match(status);
    matcher->setStackLimit(kStackLimit_bytes, status);
    matcher->setTimeLimit(kTimeLimit_steps, status);
    matcher->useTransparentBounds(true).useAnchoringBounds(false).region(first, window.length(), status);
    Places places(window, begin);
    size_t count = 0, last = at;
    const auto add = [&](size_t place) {
      if (place > last && count < ends.size()) ends[count++] = last = place;
    };
    bool is_sure = true;
    while (count < ends.size() && matcher->find(status) && (is_sure = is_whole || !matcher->hitEnd())) {
      add(places.at(matcher->start(status)));
      add(places.at(matcher->end(status)));
    }
    if (U_FAILURE(status)) compiled_->fail_match(status);
    if (is_whole && is_sure) add(end);
    if (count > 0) return count;
  }
}

}  // namespace inkstone
