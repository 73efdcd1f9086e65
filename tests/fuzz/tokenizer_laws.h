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

inline std::vector<TokenId> encode(const Tokenizer::Impl& tokenizer, std::string_view text,
                                   SpecialTokens special = SpecialTokens::kAsText) {
  std::vector<TokenId> ids;
  EncodeScratch scratch;
  scratch.uses_memo = false;
  tokenizer.encode(text, special, scratch, ids);
  return ids;
}

// Encoding both sides of a cut one by one gives the ids of the whole.
inline void check_cuts(const Tokenizer::Impl& tokenizer, std::string_view text) {
  const std::vector<TokenId> whole = encode(tokenizer, text);
  for (size_t at = 1; at < text.size(); ++at) {
    if (!tokenizer.encoder->is_cut(text, at)) continue;
    std::vector<TokenId> ids = encode(tokenizer, text.substr(0, at));
    for (const TokenId id : encode(tokenizer, text.substr(at))) ids.push_back(id);
    require(ids == whole, "a cut changes no id");
  }
}

// decode(encode(x)) == x, which no normalizer and no space in front may hinder, for texts of every
// kind and for `own`, which the input brings along.
inline void check_round_trips(const Tokenizer::Impl& tokenizer, std::string_view own) {
  const bool is_exact = !tokenizer.is_nfc && !tokenizer.pre_tokenizer.add_prefix_space;
  for (const std::string_view text : std::initializer_list<std::string_view>{
           "", "It's 2024: the theory's aaaaaaaa  \n\n x =\xCC\xB8 e\xCC\x81",
           "ab\xFF\xC3 \xE4\xB8\xAD\xE6\x96\x87 \xE2\x80\x83 <|endoftext|>", own}) {
    require(decode(tokenizer, encode(tokenizer, text)) == text || !is_exact,
            "decode(encode(x)) == x");
    decode(tokenizer, encode(tokenizer, text, SpecialTokens::kAllow));
    check_cuts(tokenizer, text);
  }
}

}  // namespace inkstone::fuzz
