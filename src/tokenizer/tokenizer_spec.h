// What a tokenizer's files say, before it is checked and compiled for use.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "inkstone/tokenizer.h"
#include "tokenizer/pre_tokenizer_spec.h"
#include "tokenizer/special_roles.h"
#include "tokenizer/special_tokens.h"

namespace inkstone {

// Above this an id can only be an accident: the largest vocabularies in use have a quarter of a
// million ids.
inline constexpr TokenId kMaxTokenId = 9'999'999;

struct TokenizerSpec {
  struct Entry {
    std::string text;  // kBpe, kByte: in the byte alphabet; kChar: a character or <0xNN>
    TokenId id = 0;
  };

  TokenizerType type = TokenizerType::kBpe;
  std::vector<Entry> vocabulary;  // special tokens may be in it or not
  std::vector<std::pair<std::string, std::string>>
      merges;  // in order of rank, texts as in the vocabulary
  std::vector<SpecialToken> special_tokens;
  bool ignore_merges = false;
  PreTokenizerSpec pre_tokenizer;  // of kBpe and kByte
  bool is_nfc = false;             // the normalizer; of kBpe and kByte
  SpecialRoles roles = {};
  TokenizerFiles files = {};
};

}  // namespace inkstone
