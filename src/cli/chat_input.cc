#include "cli/chat_input.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"

namespace inkstone::cli {
namespace {

constexpr std::array<std::string_view, 4> kQuotes = {"\"", "“", "”", "＂"};
constexpr std::array<std::string_view, 2> kSlashes = {"/", "／"};
constexpr std::array<std::string_view, 3> kBlanks = {" ", "\t", "\u3000"};
constexpr int kQuotesOfAText = 3;

// Bytes of one of `marks` at the beginning of the text; 0: none is there.
template <size_t kCount>
size_t size_of_first(const std::array<std::string_view, kCount>& marks, std::string_view text) {
  for (const std::string_view mark : marks)
    if (text.starts_with(mark)) return mark.size();
  return 0;
}

template <size_t kCount>
size_t size_of_last(const std::array<std::string_view, kCount>& marks, std::string_view text) {
  for (const std::string_view mark : marks)
    if (text.ends_with(mark)) return mark.size();
  return 0;
}

// Bytes of three quotation marks at the beginning, and at the end; 0: they are not there.
size_t opening_of(std::string_view text) {
  size_t size = 0;
  for (int i = 0; i < kQuotesOfAText; ++i) {
    const size_t mark = size_of_first(kQuotes, text.substr(size));
    if (mark == 0) return 0;
    size += mark;
  }
  return size;
}

size_t closing_of(std::string_view text) {
  size_t size = 0;
  for (int i = 0; i < kQuotesOfAText; ++i) {
    const size_t mark = size_of_last(kQuotes, text.substr(0, text.size() - size));
    if (mark == 0) return 0;
    size += mark;
  }
  return size;
}

std::string_view without_blanks_behind(std::string_view text) {
  while (const size_t size = size_of_last(kBlanks, text)) text.remove_suffix(size);
  return text;
}

}  // namespace

void TypedText::add(std::string_view line) {
  if (goes_on_) typed_.back() = '\n';  // in place of the backslash
  if (is_quoted()) typed_ += '\n';
  if (typed_.empty()) opening_ = line.substr(0, opening_of(line));
  typed_ += line;
  goes_on_ = !is_quoted() && line.ends_with('\\');
}

std::string_view TypedText::unquoted() const {
  return std::string_view(typed_).substr(opening_.size());
}

bool TypedText::is_whole() const {
  return is_quoted() ? closing_of(without_blanks_behind(unquoted())) > 0 : !goes_on_;
}

std::string TypedText::meaning() const {
  if (!is_quoted()) return goes_on_ ? typed_.substr(0, typed_.size() - 1) + '\n' : typed_;
  std::string_view text = unquoted();
  if (is_whole()) {
    text = without_blanks_behind(text);
    text.remove_suffix(closing_of(text));
    if (text.ends_with('\n')) text.remove_suffix(1);
  }
  if (text.starts_with('\n')) text.remove_prefix(1);
  return std::string(text);
}

std::optional<ChatCommand> parse_command(std::string_view text) {
  const size_t slash = size_of_first(kSlashes, text);
  if (slash == 0) return std::nullopt;
  auto [name, rest] = split_word(text.substr(slash));
  return ChatCommand{in_plain_letters(name), std::move(rest)};
}

std::pair<std::string, std::string> split_word(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && size_of_first(kBlanks, text.substr(end)) == 0) ++end;
  std::string_view rest = text.substr(end);
  while (const size_t size = size_of_first(kBlanks, rest)) rest.remove_prefix(size);
  return {std::string(text.substr(0, end)), std::string(rest)};
}

std::string in_plain_letters(std::string_view text) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* plain = icu::Normalizer2::getNFKCCasefoldInstance(error);
  std::string result;
  icu::StringByteSink<std::string> sink(&result);
  if (U_SUCCESS(error)) {
    plain->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink,
                         nullptr, error);
  }
  INK_CHECK(U_SUCCESS(error), "ICU has no NFKC_Casefold");
  return result;
}

}  // namespace inkstone::cli
