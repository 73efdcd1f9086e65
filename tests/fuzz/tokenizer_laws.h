// What holds for every tokenizer that could be made of its files.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.h"
#include "tokenizer/tokenizer_impl.h"

namespace inkstone::fuzz {

inline std::string decode(const Tokenizer::Impl& tokenizer, const std::vector<TokenId>& ids) {
  std::string text;
  for (const TokenId id : ids) {
    require(tokenizer.vocabulary.contains(id), "an id of a text lies in the vocabulary");
    text += tokenizer.vocabulary.bytes(id);
  }
  return text;
}

// decode(encode(x)) == x, which no normalizer and no space in front may hinder, for texts of every
// kind and for `own`, which the input brings along.
inline void check_round_trips(const Tokenizer::Impl& tokenizer, std::string_view own) {
  for (const std::string_view text : std::initializer_list<std::string_view>{
           "", "It's 2024: the theory's aaaaaaaa  \n\n x",
           "ab\xFF\xC3 \xE4\xB8\xAD\xE6\x96\x87 \xE2\x80\x83 <|endoftext|>", own}) {
    std::vector<TokenId> ids;
    EncodeScratch scratch;
    scratch.uses_memo = false;
    tokenizer.encoder->encode(text, scratch, ids);
    const bool is_exact = !tokenizer.is_nfc && !tokenizer.pre_tokenizer.add_prefix_space;
    require(decode(tokenizer, ids) == text || !is_exact, "decode(encode(x)) == x");
    tokenizer.special_tokens.find(text, 0);
  }
}

}  // namespace inkstone::fuzz
