#include "tokenizer/vocab_merges.h"

#include <nlohmann/json.hpp>

#include <unordered_set>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/vocab_reader.h"

namespace inkstone {
namespace {

std::vector<TokenizerSpec::Entry> parse_vocab(std::string_view text, std::string_view file) {
  return with_context(std::string(file), [&] {
    VocabularyLists lists;
    const Json rest = read_vocabulary_json(text, VocabularyPlace::kRoot, lists);
    if (lists.has_vocabulary) return std::move(lists.vocabulary);
    fail(ErrorCode::kInvalidData, "found a JSON {}, expected an object of tokens and ids",
         json_kind(rest));
  });
}

bool is_one_character(std::string_view text) {
  return !text.empty() && static_cast<size_t>(decode_utf8(text, 0).size_bytes) == text.size();
}

// Whether ordinary text could hold these bytes as one piece.
bool is_one_piece(const PreTokenizer& pre_tokenizer, const std::string& token) {
  const auto bytes = from_byte_alphabet(token);
  if (!bytes) return false;
  size_t pieces = 0;
  pre_tokenizer.split(*bytes, [&](size_t, std::span<const size_t> ends) { pieces += ends.size(); });
  return pieces == 1;
}

std::vector<SpecialToken> find_special_tokens(const TokenizerSpec& spec) {
  std::unordered_set<std::string> made;
  for (const auto& [left, right] : spec.merges) made.insert(left + right);
  const Gpt2PreTokenizer pre_tokenizer;
  std::vector<SpecialToken> special;
  for (const auto& [text, id] : spec.vocabulary) {
    if (is_one_character(text) || made.contains(text)) continue;
    if (is_one_piece(pre_tokenizer, text)) {
      fail(ErrorCode::kInvalidData,
           "no merge makes token '{}' (id {}): the {} merges are cut short or belong to another "
           "vocabulary",
           text, id, spec.merges.size());
    }
    special.push_back({.text = text, .id = id});
  }
  return special;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> parse_merges(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (size_t at = 0, number = 1; at < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number == 1 && line.starts_with("#version")) continue;
    if (auto merge = split_merge(line)) {
      merges.push_back(*std::move(merge));
    } else {
      fail(ErrorCode::kInvalidData,
           "merges: line {} is '{}', expected two tokens with a space between", number,
           utf8_beginning(line, 80));
    }
  }
  return merges;
}

TokenizerSpec parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges,
                                     std::string_view added_tokens_json) {
  TokenizerSpec spec;
  spec.vocabulary = parse_vocab(vocab_json, "vocabulary");
  spec.merges = parse_merges(merges);
  spec.special_tokens = find_special_tokens(spec);
  if (added_tokens_json.empty()) return spec;
  for (auto& [text, id] : parse_vocab(added_tokens_json, "added tokens")) {
    const auto same = [&t = text](const SpecialToken& token) { return token.text == t; };
    if (std::none_of(spec.special_tokens.begin(), spec.special_tokens.end(), same)) {
      spec.special_tokens.push_back({.text = text, .id = id});
    }
  }
  return spec;
}

}  // namespace inkstone
