// Learning merges from counted pieces.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "inkstone/runtime.h"
#include "tokenizer/bpe.h"
#include "tokenizer/piece_counts.h"

namespace inkstone {

struct BpeTrainOptions {
  Runtime runtime = Runtime();
  int64_t vocab_size = 0;     // upper bound of the tokens, `first_id` included
  int64_t min_frequency = 0;  // a pair that occurs less often is not merged
  // A merge that makes three bytes or more makes fewer than so many; 0: no limit.
  int64_t max_token_length = 0;
  TokenId first_id = 0;  // of the byte tokens, which come in the order of the byte alphabet
  std::vector<std::string> reserved = {};             // bytes that no merge may produce
  std::function<void(int64_t merges)> on_merge = {};  // called after every merge; may be empty
};

struct LearnedBpe {
  // Bytes of the token first_id + i: the 256 bytes, then the products in order of merging.
  std::vector<std::string> tokens;
  std::vector<Merge> merges;  // in order of rank
  // How often the pair of each merge occurred when it was merged; never rises.
  std::vector<int64_t> merge_counts;
};

// Merges the most frequent pair of adjacent tokens, again and again, until the vocabulary is full
// or no pair is frequent enough. Of pairs that are equally frequent the one with the smaller left
// id wins, then the smaller right id. Each merge looks only at the pieces that hold its pair.
//
// The result equals that of Hugging Face's BpeTrainer (tokenizers 0.23) given the same pieces, but
// for a product that is `reserved`: there it takes the id of the special token, here the pair is
// left alone. The merges of frequent pairs run on all threads; the result does not depend on their
// number. `pieces` must be finished; its memory is freed while it is read.
// Throws kUnsupported when the pieces have more than about 16 GB.
LearnedBpe learn_bpe(PieceCounts pieces, const BpeTrainOptions& options);

}  // namespace inkstone
