// The beginning of a training text, to try a model with.
#pragma once

#include <string>
#include <string_view>

#include "corpus/load/batch_loader.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// The first words of a text: of its first line that has some, at most four and 24 characters; of a
// writing that puts no spaces between words, its first 8 characters, up to the first mark. Valid
// UTF-8; empty if there are none.
std::string first_words(std::string_view text);

// Of the stream's first document.
std::string first_words(const TokenStream& stream, const Tokenizer& tokenizer);

}  // namespace inkstone
