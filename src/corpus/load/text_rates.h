// How much text the tokens of a stream are: what makes losses of different vocabularies comparable.
#pragma once

#include <cstdint>
#include <optional>

#include "corpus/load/batch_loader.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// Text per token. The end mark between documents is a token and no text.
struct TextRates {
  double bytes_per_token = 0;
  double characters_per_token = 0;  // as count_characters() counts
};

// Of tokens [begin, begin + count) of the stream, exactly; count >= 1. Throws kInvalidData on an id
// outside the vocabulary.
TextRates text_rates(const TokenStream& stream, int64_t begin, int64_t count,
                     const Tokenizer& tokenizer);

// Loss in nats per token by other measures; nullopt where there is no text to measure by.
std::optional<double> nats_per_character(double nats_per_token, const TextRates& rates);
std::optional<double> bits_per_byte(double nats_per_token, const TextRates& rates);

}  // namespace inkstone
