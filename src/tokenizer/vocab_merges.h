// The older pair of files: vocab.json + merges.txt (Hugging Face), encoder.json + vocab.bpe
// (OpenAI).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/tokenizer_spec.h"

namespace inkstone {

// A line "A B" per merge, in order of rank; the first line may be "#version: ...". Lines end in
// "\n" or "\r\n". Throws kInvalidData on any other line, with its number.
std::vector<std::pair<std::string, std::string>> parse_merges(std::string_view text);

// The files have no list of special tokens: they are the tokens that no merge makes and that the
// pre-tokenizer would cut, such as "<|endoftext|>", and those of `added_tokens_json` ({text: id},
// may be empty). A token that no merge makes and that is one piece means that the merges are cut
// short or belong to another vocabulary: kInvalidData.
TokenizerSpec parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges,
                                     std::string_view added_tokens_json = {});

}  // namespace inkstone
