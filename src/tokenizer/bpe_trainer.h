// Learning merges from counted pieces.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tokenizer/bpe.h"
#include "tokenizer/piece_counts.h"

namespace inkstone {

struct BpeTrainOptions {
  int64_t vocab_size = 0;     // upper bound of the tokens, `first_id` included
  int64_t min_frequency = 0;  // a pair that occurs less often is not merged
  TokenId first_id = 0;       // of the byte tokens, which come in the order of the byte alphabet
  std::vector<std::string> reserved;  // bytes that no merge may produce
};

struct LearnedBpe {
  // Bytes of the token first_id + i: the 256 bytes, then the products in order of merging.
  std::vector<std::string> tokens;
  std::vector<Merge> merges;  // in order of rank
};

// Merges the most frequent pair of adjacent tokens, again and again, until the vocabulary is full
// or no pair is frequent enough. Of pairs that are equally frequent the one with the smaller left
// id wins, then the smaller right id. Each merge looks only at the pieces that hold its pair.
//
// The result equals that of Hugging Face's BpeTrainer (tokenizers 0.23) given the same pieces, but
// for a product that is `reserved`: there it takes the id of the special token, here the pair is
// left alone. Deterministic; one thread.
LearnedBpe learn_bpe(const PieceCounts& pieces, const BpeTrainOptions& options);

}  // namespace inkstone
