#include "tokenizer/tokenizer_impl.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/bpe_encoder.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/char_encoder.h"
#include "tokenizer/normalizing_encoder.h"
#include "tokenizer/text_index.h"

namespace inkstone {
namespace {

using ByteTokens = std::array<TokenId, 256>;

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

// Every token's text and id, special ones included, checked. Views into the spec.
class TokenTable {
 public:
  explicit TokenTable(const TokenizerSpec& spec)
      : texts(count_ids(spec)),
        is_ordinary(texts.size(), false),
        ids_(spec.vocabulary.size() + spec.special_tokens.size(), texts) {
    for (const TokenizerSpec::Entry& entry : spec.vocabulary) {
      if (add(entry.text, entry.id)) {
        fail(ErrorCode::kInvalidData, "token '{}' is in the vocabulary twice", entry.text);
      }
      is_ordinary[static_cast<size_t>(entry.id)] = true;
    }
    for (const SpecialToken& token : spec.special_tokens) {
      if (const auto known = add(token.text, token.id); known.value_or(token.id) != token.id) {
        fail(ErrorCode::kInvalidData, "token '{}' has two ids, {} and {}", token.text, *known,
             token.id);
      }
      is_ordinary[static_cast<size_t>(token.id)] = false;
    }
  }
  TokenTable(const TokenTable&) = delete;
  TokenTable& operator=(const TokenTable&) = delete;

  std::optional<TokenId> find(std::string_view text) const { return ids_.find(text); }

  std::vector<std::string_view> texts;  // by id; empty: no token has this id
  std::vector<bool> is_ordinary;

 private:
  // The id under which the token was there already.
  std::optional<TokenId> add(std::string_view text, TokenId id) {
    if (text.empty()) fail(ErrorCode::kInvalidData, "token {} is empty", id);
    std::string_view& place = texts[static_cast<size_t>(id)];
    if (!place.empty() && place != text) {
      fail(ErrorCode::kInvalidData, "id {} belongs to two tokens, '{}' and '{}'", id, place, text);
    }
    if (!place.empty()) return id;
    const TokenId known = ids_.insert(text, id);
    if (known != id) return known;
    place = text;
    return std::nullopt;
  }

  TextIndex ids_;
};

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

ByteTokens find_alphabet(const TokenTable& table) {
  ByteTokens tokens;
  for (size_t byte = 0; byte < tokens.size(); ++byte) {
    const std::string text = to_byte_alphabet(std::string(1, static_cast<char>(byte)));
    const auto id = table.find(text);
    if (!id) fail_missing_byte(byte, text);
    tokens[byte] = *id;
  }
  return tokens;
}

bool is_joined(std::string_view text, std::string_view left, std::string_view right) {
  return text.size() == left.size() + right.size() && text.starts_with(left) &&
         text.ends_with(right);
}

// The merges' ids, looked up by text.
class MergeFinder {
 public:
  MergeFinder(const TokenizerSpec& spec, const TokenTable& table) : spec_(spec), table_(table) {}

  std::vector<Merge> find() {
    merges_.reserve(spec_.merges.size());
    for (const auto& [left, right] : spec_.merges) {
      merges_.push_back({id_of(left), id_of(right), product_of(left, right)});
    }
    return std::move(merges_);
  }

 private:
  TokenId id_of(const std::string& text) const {
    if (const auto id = table_.find(text)) return *id;
    const auto& [left, right] = spec_.merges[merges_.size()];
    fail(ErrorCode::kInvalidData, "merge {} ('{}' and '{}'): '{}' is not in the vocabulary",
         merges_.size() + 1, left, right, text);
  }

  // Nearly always the id behind that of the merge before.
  TokenId product_of(const std::string& left, const std::string& right) const {
    const auto next = static_cast<size_t>(merges_.empty() ? 0 : merges_.back().product + 1);
    if (next < table_.texts.size() && is_joined(table_.texts[next], left, right)) {
      return static_cast<TokenId>(next);
    }
    return id_of(left + right);
  }

  const TokenizerSpec& spec_;
  const TokenTable& table_;
  std::vector<Merge> merges_;
};

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

// The files' text or id of a role, where the vocabulary has it.
class RoleFinder {
 public:
  explicit RoleFinder(const TokenTable& table) : table_(table) {}

  std::optional<TokenId> by_text(const std::optional<std::string>& text) const {
    return text ? table_.find(*text) : std::nullopt;
  }
  std::optional<TokenId> by_id(std::optional<TokenId> id) const {
    const bool is_there = id && *id >= 0 && static_cast<size_t>(*id) < table_.texts.size() &&
                          !table_.texts[static_cast<size_t>(*id)].empty();
    return is_there ? id : std::nullopt;
  }
  std::string text(TokenId id) const { return std::string(table_.texts[static_cast<size_t>(id)]); }

 private:
  const TokenTable& table_;
};

// What the tokenizer's own files name comes first, then what the model's do, then GPT-2's mark.
RoleIds find_roles(const SpecialRoles& roles, const TokenTable& table,
                   const SpecialTokenTable& special) {
  const RoleFinder find(table);
  RoleIds ids;
  ids.end = find.by_text(roles.end);
  const bool end_is_named = ids.end.has_value();
  for (const TokenId id : roles.end_ids) {
    if (!find.by_id(id)) continue;
    if (!ids.end) ids.end = id;
    if (id != ids.end) ids.end_marks.push_back(id);
  }
  if (!ids.end) ids.end = special.id_of(kEndOfText);
  if (ids.end) ids.end_marks.insert(ids.end_marks.begin(), *ids.end);
  if (ids.end && !end_is_named) ids.unnamed_end = find.text(*ids.end);
  ids.mask = find.by_text(roles.mask);
  ids.begin = find.by_text(roles.begin);
  if (ids.begin) return ids;
  ids.begin = find.by_id(roles.begin_id);
  if (!ids.begin) ids.begin = ids.end;
  if (ids.begin) ids.unnamed_begin = find.text(*ids.begin);
  return ids;
}

}  // namespace

std::string byte_token_text(uint8_t byte) { return fmt::format("<0x{:02X}>", byte); }

Tokenizer::Impl::Impl(TokenizerSpec spec)
    : type(spec.type),
      ignore_merges(spec.ignore_merges),
      pre_tokenizer(spec.pre_tokenizer),
      is_nfc(spec.is_nfc),
      vocabulary({}),
      special_tokens(spec.special_tokens, spec.is_nfc),
      files(std::move(spec.files)) {
  check_special_tokens(special_tokens);
  const TokenTable table(spec);
  vocabulary = Vocabulary(bytes_of_tokens(type, table));
  roles = find_roles(spec.roles, table, special_tokens);
  if (type == TokenizerType::kChar) {
    is_byte_token = find_byte_tokens(table);
    encoder = make_char_encoder(table);
    return;
  }
  const ByteTokens alphabet = find_alphabet(table);
  std::vector<Merge> list = MergeFinder(spec, table).find();
  for (const TokenId id : alphabet) check_reachable(table, vocabulary, id);
  for (const Merge& merge : list) check_reachable(table, vocabulary, merge.product);
  if (list.empty() && count_ordinary(table) == alphabet.size()) {
    type = TokenizerType::kByte;
    encoder = std::make_unique<ByteEncoder>(alphabet);
  } else {
    type = TokenizerType::kBpe;
    auto bpe = std::make_unique<BpeEncoder>(
        vocabulary, table.is_ordinary,
        BpeEncoder::Parts{alphabet, std::move(list), ignore_merges,
                          make_pre_tokenizer(pre_tokenizer)});
    if (const auto at = bpe->repeated_merge()) {
      const auto& [left, right] = spec.merges[*at];
      fail(ErrorCode::kInvalidData, "merge {} ('{}' and '{}') occurs twice", *at + 1, left, right);
    }
    encoder = std::move(bpe);
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
