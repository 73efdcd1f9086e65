// The large parts of a tokenizer's JSON, read member by member with simdjson: a document tree of
// fifty thousand members would take seconds (ordered_json looks members up one by one) and hide
// members that occur twice.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "tokenizer/tokenizer_spec.h"

namespace inkstone {

struct VocabularyLists {
  bool has_vocabulary = false, has_merges = false;
  std::vector<TokenizerSpec::Entry> vocabulary;  // ids checked to lie in 0 .. kMaxTokenId
  std::vector<std::pair<std::string, std::string>> merges;
};

enum class VocabularyPlace {
  kRoot,   // the document is {token: id, ...}, as vocab.json is
  kModel,  // the vocabulary is model.vocab and the merges are model.merges, as in tokenizer.json
};

// Fills `lists` and returns the rest of the document, in which the lists are missing. A vocabulary
// that is not an object, or merges that are not an array, stay in the rest. Throws kInvalidData on
// text that is not JSON, what parse_json refuses in the rest, an id that is not an integer in
// range, and a merge that is neither "A B" nor ["A", "B"].
Json read_vocabulary_json(std::string_view text, VocabularyPlace place, VocabularyLists& lists);

// "A B" -> {"A", "B"}: two parts with one space between; nullopt otherwise.
std::optional<std::pair<std::string, std::string>> split_merge(std::string_view line);

}  // namespace inkstone
