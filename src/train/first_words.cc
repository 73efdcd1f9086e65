#include "train/first_words.h"

#include <algorithm>
#include <vector>

#include "base/utf8.h"
#include "corpus/clean/words.h"

namespace inkstone {
namespace {

constexpr int kWords = 4, kCharacters = 24, kCharactersWithoutSpaces = 8;

bool is_space(uint32_t c) { return c <= 0x20 || c == 0x7F || c == 0xA0 || c == 0x3000; }

// The first line that has something else than white space, without what stands before that.
std::string_view first_line(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const Utf8Step step = decode_utf8(text, at);
    if (step.ok && !is_space(step.code_point)) break;
    at += static_cast<size_t>(step.size_bytes);
  }
  text.remove_prefix(at);
  return text.substr(0, std::min(text.size(), text.find_first_of("\r\n")));
}

}  // namespace

std::string first_words(std::string_view text) {
  const std::string_view line = first_line(text);
  std::vector<size_t> word_ends;
  size_t at = 0, few = 0;  // few: the end of the first characters
  bool in_word = false, unspaced = false;
  int characters = 0;
  for (; at < line.size() && characters < kCharacters && word_ends.size() < kWords; ++characters) {
    const Utf8Step step = decode_utf8(line, at);
    if (!step.ok) break;
    const bool space = is_space(step.code_point);
    unspaced |= is_unspaced_letter(step.code_point);
    if (space && in_word) word_ends.push_back(at);
    in_word = !space;
    at += static_cast<size_t>(step.size_bytes);
    if (characters < kCharactersWithoutSpaces) few = at;
  }
  if (at == line.size() && in_word) word_ends.push_back(at);
  const bool by_characters = unspaced || word_ends.empty();
  return std::string(line.substr(0, by_characters ? few : word_ends.back()));
}

std::string first_words(const TokenStream& stream, const Tokenizer& tokenizer) {
  constexpr int64_t kTokens = 256;  // of single bytes, still enough
  std::vector<TokenId> tokens(static_cast<size_t>(std::min(kTokens, stream.count())));
  stream.read(0, tokens);
  if (const auto end = tokenizer.end_of_text())
    tokens.erase(std::find(tokens.begin(), tokens.end(), *end), tokens.end());
  return first_words(tokenizer.decode(tokens));
}

}  // namespace inkstone
