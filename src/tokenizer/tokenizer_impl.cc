#include "tokenizer/tokenizer_impl.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/bpe_encoder.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/char_encoder.h"
#include "tokenizer/normalizing_encoder.h"

namespace inkstone {
namespace {

using IdsByText = std::unordered_map<std::string_view, TokenId>;
using ByteTokens = std::array<TokenId, 256>;

// Every token's text and id, special ones included, checked. Views into the spec.
struct TokenTable {
  IdsByText ids;
  std::vector<std::string_view> texts;  // by id; empty: no token has this id
  std::vector<bool> is_ordinary;
};

void add_text(TokenTable& table, std::string_view text, TokenId id) {
  if (text.empty()) fail(ErrorCode::kInvalidData, "token {} is empty", id);
  std::string_view& place = table.texts[static_cast<size_t>(id)];
  if (!place.empty() && place != text) {
    fail(ErrorCode::kInvalidData, "id {} belongs to two tokens, '{}' and '{}'", id, place, text);
  }
  const auto [at, is_new] = table.ids.emplace(text, id);
  if (!is_new && at->second != id) {
    fail(ErrorCode::kInvalidData, "token '{}' has two ids, {} and {}", text, at->second, id);
  }
  place = text;
}

// The largest id decides how much is allocated: checked against the number of tokens before
// anything is.
size_t count_ids(const TokenizerSpec& spec) {
  int64_t largest = -1;
  const auto check = [&](const std::string& text, TokenId id) {
    if (id < 0 || id > kMaxTokenId) {
      fail(ErrorCode::kInvalidData, "token '{}' has id {}, expected 0 to {}", text, id,
           kMaxTokenId);
    }
    largest = std::max<int64_t>(largest, id);
  };
  for (const TokenizerSpec::Entry& entry : spec.vocabulary) check(entry.text, entry.id);
  for (const SpecialToken& token : spec.special_tokens) check(token.text, token.id);
  const size_t tokens = spec.vocabulary.size() + spec.special_tokens.size();
  const size_t ids = static_cast<size_t>(largest + 1);
  if (ids > 2 * tokens + 1024) {
    fail(ErrorCode::kInvalidData, "the largest id is {}, but there are only {} tokens", largest,
         tokens);
  }
  return ids;
}

TokenTable make_table(const TokenizerSpec& spec) {
  TokenTable table;
  table.texts.resize(count_ids(spec));
  table.is_ordinary.assign(table.texts.size(), false);
  table.ids.reserve(spec.vocabulary.size() + spec.special_tokens.size());
  for (const TokenizerSpec::Entry& entry : spec.vocabulary) {
    if (table.ids.contains(entry.text)) {
      fail(ErrorCode::kInvalidData, "token '{}' is in the vocabulary twice", entry.text);
    }
    add_text(table, entry.text, entry.id);
    table.is_ordinary[static_cast<size_t>(entry.id)] = true;
  }
  for (const SpecialToken& token : spec.special_tokens) {
    add_text(table, token.text, token.id);
    table.is_ordinary[static_cast<size_t>(token.id)] = false;
  }
  return table;
}

// "<0x0A>" -> 10.
std::optional<uint8_t> parse_byte_token(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  int value = 0;
  for (const char c : text.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9', letter = c >= 'A' && c <= 'F';
    if (!digit && !letter) return std::nullopt;
    value = 16 * value + (digit ? c - '0' : c - 'A' + 10);
  }
  return static_cast<uint8_t>(value);
}

// The character when `text` is exactly one.
std::optional<uint32_t> single_character(std::string_view text) {
  const Utf8Step step = decode_utf8(text, 0);
  if (!step.ok || static_cast<size_t>(step.size_bytes) != text.size()) return std::nullopt;
  return step.code_point;
}

std::string bytes_of_token(TokenizerType type, std::string_view text) {
  if (type != TokenizerType::kChar) {
    if (auto bytes = from_byte_alphabet(text)) return *std::move(bytes);
    fail(ErrorCode::kInvalidData, "token '{}' is not written in GPT-2's byte alphabet", text);
  }
  if (const auto byte = parse_byte_token(text)) return std::string(1, static_cast<char>(*byte));
  if (single_character(text)) return std::string(text);
  fail(ErrorCode::kUnsupported,
       "token '{}' is more than one character: only a byte-level BPE may have such tokens", text);
}

std::vector<std::string> bytes_of_tokens(TokenizerType type, const TokenTable& table) {
  std::vector<std::string> tokens(table.texts.size());
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (table.texts[id].empty()) continue;
    tokens[id] = table.is_ordinary[id] ? bytes_of_token(type, table.texts[id])
                                       : std::string(table.texts[id]);
  }
  return tokens;
}

[[noreturn]] void fail_missing_byte(size_t byte, std::string_view text) {
  fail(ErrorCode::kInvalidData, "byte 0x{:02X} has no token: '{}' is not in the vocabulary", byte,
       text);
}

ByteTokens find_alphabet(const IdsByText& ids) {
  ByteTokens tokens;
  for (size_t byte = 0; byte < tokens.size(); ++byte) {
    const std::string text = to_byte_alphabet(std::string(1, static_cast<char>(byte)));
    const auto at = ids.find(text);
    if (at == ids.end()) fail_missing_byte(byte, text);
    tokens[byte] = at->second;
  }
  return tokens;
}

std::vector<Merge> find_merges(const TokenizerSpec& spec, const IdsByText& ids) {
  std::vector<Merge> merges;
  merges.reserve(spec.merges.size());
  IntegerMap<bool> known;
  known.reserve(spec.merges.size());
  const auto id_of = [&](const std::string& text) {
    const auto at = ids.find(text);
    if (at != ids.end()) return at->second;
    const auto& [left, right] = spec.merges[merges.size()];
    fail(ErrorCode::kInvalidData, "merge {} ('{}' and '{}'): '{}' is not in the vocabulary",
         merges.size() + 1, left, right, text);
  };
  for (const auto& [left, right] : spec.merges) {
    const Merge merge{id_of(left), id_of(right), id_of(left + right)};
    if (std::exchange(known[merge.pair()], true)) {
      fail(ErrorCode::kInvalidData, "merge {} ('{}' and '{}') occurs twice", merges.size() + 1,
           left, right);
    }
    merges.push_back(merge);
  }
  return merges;
}

std::vector<bool> find_byte_tokens(const TokenTable& table) {
  std::vector<bool> is_byte(table.texts.size());
  for (size_t id = 0; id < is_byte.size(); ++id) {
    is_byte[id] = table.is_ordinary[id] && parse_byte_token(table.texts[id]).has_value();
  }
  return is_byte;
}

std::unique_ptr<const Encoder> make_char_encoder(const TokenTable& table) {
  ByteTokens bytes;
  bytes.fill(-1);
  IntegerMap<TokenId> characters;
  for (size_t id = 0; id < table.texts.size(); ++id) {
    const std::string_view text = table.texts[id];
    if (!table.is_ordinary[id] || text.empty()) continue;
    if (const auto byte = parse_byte_token(text)) {
      bytes[*byte] = static_cast<TokenId>(id);
    } else {
      characters[single_character(text).value()] = static_cast<TokenId>(id);
    }
  }
  for (size_t byte = 0; byte < bytes.size(); ++byte) {
    const bool has_character = byte < 0x80 && characters.find(byte) != nullptr;
    if (bytes[byte] < 0 && !has_character)
      fail_missing_byte(byte, byte_token_text(static_cast<uint8_t>(byte)));
  }
  return std::make_unique<CharEncoder>(bytes, std::move(characters));
}

// A special token may have the text of an ordinary one only if it also stands for the same bytes;
// otherwise the ids of a text would not decode to that text.
void check_reachable(const TokenTable& table, const Vocabulary& vocabulary, TokenId id) {
  const size_t at = static_cast<size_t>(id);
  if (table.is_ordinary[at] || from_byte_alphabet(table.texts[at]) == vocabulary.bytes(id)) return;
  fail(ErrorCode::kInvalidData,
       "special token '{}' is also the token of other bytes in the byte alphabet", table.texts[at]);
}

void check_special_tokens(const SpecialTokenTable& tokens) {
  const auto same_text = [](const SpecialToken& a, const SpecialToken& b) {
    return a.text == b.text;
  };
  const auto twice = std::adjacent_find(tokens.all().begin(), tokens.all().end(), same_text);
  if (twice == tokens.all().end()) return;
  fail(ErrorCode::kInvalidData, "special token '{}' is listed twice", twice->text);
}

// Ids that `table` gives to ordinary tokens.
size_t count_ordinary(const TokenTable& table) {
  return static_cast<size_t>(std::count(table.is_ordinary.begin(), table.is_ordinary.end(), true));
}

}  // namespace

std::string byte_token_text(uint8_t byte) { return fmt::format("<0x{:02X}>", byte); }

Tokenizer::Impl::Impl(const TokenizerSpec& spec)
    : type(spec.type),
      ignore_merges(spec.ignore_merges),
      pre_tokenizer(spec.pre_tokenizer),
      is_nfc(spec.is_nfc),
      vocabulary({}),
      special_tokens(spec.special_tokens, spec.is_nfc) {
  check_special_tokens(special_tokens);
  const TokenTable table = make_table(spec);
  vocabulary = Vocabulary(bytes_of_tokens(type, table));
  if (type == TokenizerType::kChar) {
    is_byte_token = find_byte_tokens(table);
    encoder = make_char_encoder(table);
    return;
  }
  const ByteTokens alphabet = find_alphabet(table.ids);
  std::vector<Merge> list = find_merges(spec, table.ids);
  for (const TokenId id : alphabet) check_reachable(table, vocabulary, id);
  for (const Merge& merge : list) check_reachable(table, vocabulary, merge.product);
  if (list.empty() && count_ordinary(table) == alphabet.size()) {
    type = TokenizerType::kByte;
    encoder = std::make_unique<ByteEncoder>(alphabet);
  } else {
    type = TokenizerType::kBpe;
    encoder = std::make_unique<BpeEncoder>(
        vocabulary, table.is_ordinary,
        BpeEncoder::Parts{alphabet, std::move(list), ignore_merges,
                          make_pre_tokenizer(pre_tokenizer)});
  }
  if (!is_nfc && !pre_tokenizer.add_prefix_space) return;
  encoder = std::make_unique<NormalizingEncoder>(std::move(encoder), is_nfc,
                                                 pre_tokenizer.add_prefix_space);
}

void Tokenizer::Impl::encode(std::string_view text, SpecialTokens special, EncodeScratch& scratch,
                             std::vector<TokenId>& ids) const {
  if (special == SpecialTokens::kAsText) return encoder->encode(text, scratch, ids);
  special_tokens.split(
      text, [&](std::string_view part) { encoder->encode(part, scratch, ids); },
      [&](TokenId id, size_t begin) {
        if (special == SpecialTokens::kRefuse) {
          fail(ErrorCode::kInvalidData,
               "the text has the special token '{}' at byte {}: remove it, or allow special tokens "
               "or encode them as text",
               vocabulary.bytes(id), begin);
        }
        ids.push_back(id);
      });
}

std::vector<Merge> Tokenizer::Impl::merges() const {
  const auto* normalizing = dynamic_cast<const NormalizingEncoder*>(encoder.get());
  const auto* bpe = dynamic_cast<const BpeEncoder*>(normalizing != nullptr ? &normalizing->inner()
                                                                           : encoder.get());
  return bpe != nullptr ? bpe->merges() : std::vector<Merge>{};
}

}  // namespace inkstone
