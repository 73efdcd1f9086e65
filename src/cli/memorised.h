// What a model has learnt by heart: how much of what it writes stands in its training text word for
// word.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/training_text.h"
#include "inkstone/generator.h"

namespace inkstone::cli {

struct MemorisedOptions {
  int64_t samples = 20;         // texts from nothing, at temperature 1
  int64_t sample_tokens = 200;  // most of each
  int64_t places = 100;         // that are continued, of either text
  // Tokens of what is given, and of what is written, greedily.
  int64_t prefix = 50, continuation = 50;
  uint64_t seed = 1;
};

// Of some texts: the longest part of each that stands in the training text.
struct CopiedParts {
  std::vector<int64_t> bytes, tokens;  // of each text
  std::string longest;                 // the longest of all, in bytes
  // Of continuations: tokens until the first that is not the text's own.
  std::vector<int64_t> equal_tokens;
};

struct MemorisedReport {
  int64_t training_tokens = 0, held_out_tokens = 0;
  CopiedParts samples;             // written from nothing
  CopiedParts held_out;            // passages of held-out text, as long as the samples
  CopiedParts continued;           // what follows places of the training text
  CopiedParts continued_held_out;  // what follows places of held-out text
  int64_t continuation = 0;        // tokens of each
};

// held_out may be empty: what is compared with it then is. Memory is that of the texts written, and
// 300 bytes for each of their bytes; the training text is read once, as a stream.
MemorisedReport measure_memorised(
    Generator& generator, const TokenText& training, const TokenText& held_out,
    const MemorisedOptions& options,
    const std::function<void(int64_t done, int64_t all)>& on_progress);

}  // namespace inkstone::cli
