// The special tokens that objectives need: those of the vocabulary, or added ones.
#pragma once

#include "inkstone/tokenizer.h"
#include "inkstone/trainer.h"

namespace inkstone {

// Whether the options mask with a mask token anywhere.
bool needs_mask_token(const TrainOptions& options);

// The tokenizer of a run on data that was prepared with `tokenizer`: with the tokens that the
// options need and the vocabulary lacks behind its last id. A pure function: a run that goes on
// finds the same ids.
Tokenizer with_objective_tokens(const TrainOptions& options, const Tokenizer& tokenizer);

}  // namespace inkstone
