#include "corpus/read/separators.h"

#include <unicode/regex.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <memory>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "corpus/read/line_stream.h"
#include "inkstone/tokenizer.h"

namespace inkstone {
namespace {

// ICU counts about ten thousand operations as a step.
constexpr int32_t kLineLimit_steps = 1000;

enum class LineKind {
  kText,
  kBegins,   // of the next document
  kDivides,  // and goes
  kAlone,    // a document
};

bool is_blank_line(std::string_view line) {
  for (size_t at = 0; at < line.size();) {
    const Utf8Step step = decode_utf8(line, at);
    const auto c = static_cast<UChar32>(step.code_point);
    if (!step.ok || !(u_isUWhiteSpace(c) || c == 0xFEFF)) return false;
    at += static_cast<size_t>(step.size_bytes);
  }
  return true;
}

class LineRule {
 public:
  virtual ~LineRule() = default;
  virtual LineKind operator()(std::string_view line) = 0;
};

class BlankLines : public LineRule {
 public:
  LineKind operator()(std::string_view line) override {
    return is_blank_line(line) ? LineKind::kDivides : LineKind::kText;
  }
};

class EachLine : public LineRule {
 public:
  LineKind operator()(std::string_view line) override {
    return is_blank_line(line) ? LineKind::kDivides : LineKind::kAlone;
  }
};

class MatchingLines : public LineRule {
 public:
  explicit MatchingLines(const std::string& expression) : expression_(expression) {
    UErrorCode error = U_ZERO_ERROR;
    UParseError where{};
    pattern_.reset(
        icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(expression), where, error));
    if (U_SUCCESS(error)) matcher_.reset(pattern_->matcher(error));
    if (U_SUCCESS(error)) matcher_->setTimeLimit(kLineLimit_steps, error);
    if (U_SUCCESS(error)) return;
    fail(ErrorCode::kUsage,
         "the separator '{}' is no regular expression ({} at character {}); give blank, line, or "
         "an expression such as '^\\*+$' or '(?=^第.+首)'",
         expression, u_errorName(error), where.offset);
  }

  LineKind operator()(std::string_view line) override {
    line_ = icu::UnicodeString::fromUTF8({line.data(), static_cast<int32_t>(line.size())});
    matcher_->reset(line_);
    UErrorCode error = U_ZERO_ERROR;
    if (!matcher_->find(error)) {
      if (U_SUCCESS(error)) return LineKind::kText;
    } else if (const int32_t begin = matcher_->start(error), end = matcher_->end(error);
               U_SUCCESS(error)) {
      return begin == end ? LineKind::kBegins : LineKind::kDivides;
    }
    fail(ErrorCode::kUsage,
         "the separator '{}' takes too long on a line of {} bytes: {}; make it simpler",
         expression_, line.size(), u_errorName(error));
  }

 private:
  std::string expression_;
  std::unique_ptr<icu::RegexPattern> pattern_;
  std::unique_ptr<icu::RegexMatcher> matcher_;
  icu::UnicodeString line_;
};

std::unique_ptr<LineRule> rule_of(const std::string& separator) {
  if (separator == "blank") return std::make_unique<BlankLines>();
  if (separator == "line") return std::make_unique<EachLine>();
  return std::make_unique<MatchingLines>(separator);
}

// Writes a mark only where there is something on both of its sides.
class TextDivider {
 public:
  explicit TextDivider(std::unique_ptr<LineRule> rule) : rule_(std::move(rule)) {}

  void add(std::string_view line, std::string& out) {
    const std::string_view words = without_line_end(line);
    const bool is_whole = words.size() < line.size();
    const LineKind kind = std::exchange(in_line_, !is_whole) ? LineKind::kText : (*rule_)(words);
    if (kind != LineKind::kText) divides_ = has_text_;
    if (kind == LineKind::kDivides) return;
    // A mark stands in a line of its own.
    if (std::exchange(divides_, false))
      out.append(ends_in_line_end_ ? "" : "\n").append(kEndOfText).append("\n");
    out += line;
    ends_in_line_end_ = is_whole;
    has_text_ = true;
    is_alone_ = is_alone_ || kind == LineKind::kAlone;
    if (is_whole) divides_ = std::exchange(is_alone_, false);
  }

 private:
  std::unique_ptr<LineRule> rule_;
  bool has_text_ = false;  // there is something before a mark
  bool divides_ = false;   // a document ends before the next line
  bool in_line_ = false;   // what comes belongs to a line that was too long
  bool is_alone_ = false;  // the present line is a document
  bool ends_in_line_end_ = true;
};

}  // namespace

void check_separator(const std::string& separator) {
  if (!separator.empty()) rule_of(separator);
}

ReadBytes divide_text(ReadBytes read, const std::string& separator) {
  if (separator.empty()) return read;
  const auto divider = std::make_shared<TextDivider>(rule_of(separator));
  const auto stream = std::make_shared<LineStream>(
      std::move(read),
      [divider](std::string_view line, std::string& out) { divider->add(line, out); }, nullptr);
  return [stream](char* out, size_t size_bytes) { return stream->read(out, size_bytes); };
}

}  // namespace inkstone
