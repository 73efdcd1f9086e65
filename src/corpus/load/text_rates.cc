#include "corpus/load/text_rates.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"

namespace inkstone {

TextRates text_rates(const TokenStream& stream, int64_t begin, int64_t count,
                     const Tokenizer& tokenizer) {
  constexpr int64_t kPiece = int64_t{1} << 16;
  INK_CHECK(count >= 1, "no tokens");
  const auto end_mark = tokenizer.end_of_text();
  int64_t bytes = 0, characters = 0;
  std::vector<TokenId> ids;
  for (int64_t at = begin; at < begin + count; at += kPiece) {
    ids.resize(static_cast<size_t>(std::min(kPiece, begin + count - at)));
    stream.read(at, ids);
    for (const TokenId id : ids) {
      if (id == end_mark) continue;
      const std::string_view text = tokenizer.token_bytes(id);
      bytes += static_cast<int64_t>(text.size());
      characters += count_characters(text);
    }
  }
  const auto tokens = static_cast<double>(count);
  return {static_cast<double>(bytes) / tokens, static_cast<double>(characters) / tokens};
}

std::optional<double> nats_per_character(double nats_per_token, const TextRates& rates) {
  if (rates.characters_per_token == 0) return std::nullopt;
  return nats_per_token / rates.characters_per_token;
}

std::optional<double> bits_per_byte(double nats_per_token, const TextRates& rates) {
  if (rates.bytes_per_token == 0) return std::nullopt;
  return nats_per_token / std::log(2.0) / rates.bytes_per_token;
}

}  // namespace inkstone
