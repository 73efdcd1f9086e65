// Whether a model's vocabulary suits the text that the model is trained further on.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "corpus/load/text_rates.h"
#include "inkstone/message.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// Of the text that a run's model (the run, or a checkpoint in it) was trained on; nullopt where
// that cannot be known: the model is no run's, or the run's data has gone.
std::optional<TextRates> rates_of_own_text(const std::filesystem::path& model);

// What to say to who trains a model on text with fewer than 0.6 times the bytes per token that its
// own text had, or whose characters are cut to pieces where its own were not (0.6 in the same way
// of its own characters per token, or of 1 where those were more). Where its own are not known: on
// text with fewer than 2.5 bytes per token, which is far from what a BPE gives on text that it was
// made for (GPT-2's has 3.3 to 4.5 on English, 2 on Chinese). nullopt: it suits. A vocabulary of
// bytes suits every text, and one of characters has one character per token of its own.
std::optional<Message> vocabulary_warning(TokenizerType type, const TextRates& text,
                                          const std::optional<TextRates>& own);

}  // namespace inkstone
