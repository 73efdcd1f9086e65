#include "tokenizer/gguf_tokenizer.h"

#include <algorithm>
#include <unordered_set>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "inkstone/turns.h"
#include "tokenizer/tokenizer_impl.h"
#include "tokenizer/vocab_reader.h"
#include "tokenizer/word_pre_tokenizer.h"

namespace inkstone {
namespace {

using Spec = PreTokenizerSpec;

// What the named pre-tokenizers make of a text.
enum class Pieces {
  kGpt2,
  kGpt2Digits,  // every digit is a piece, then GPT-2's
  kLlama3,      // WordRules of up to three digits
  kQwen2,       // of one digit
  kGpt4o,       // cased, of up to three
};

struct PreName {
  std::string_view name;
  Pieces pieces;
  bool ignore_merges;
};

// A tokenizer is written by the first name that fits. Source: llama.cpp, src/llama-vocab.cpp.
constexpr PreName kPreNames[] = {{"gpt-2", Pieces::kGpt2, false},
                                 {"phi-2", Pieces::kGpt2, false},
                                 {"mpt", Pieces::kGpt2, false},
                                 {"olmo", Pieces::kGpt2, false},
                                 {"jais", Pieces::kGpt2, false},
                                 {"trillion", Pieces::kGpt2, false},
                                 {"gigachat", Pieces::kGpt2, false},
                                 {"mellum", Pieces::kGpt2, false},
                                 {"starcoder", Pieces::kGpt2Digits, false},
                                 {"refact", Pieces::kGpt2Digits, false},
                                 {"command-r", Pieces::kGpt2Digits, false},
                                 {"smollm", Pieces::kGpt2Digits, false},
                                 {"codeshell", Pieces::kGpt2Digits, false},
                                 {"llama-bpe", Pieces::kLlama3, true},
                                 {"llama3", Pieces::kLlama3, true},
                                 {"llama-v3", Pieces::kLlama3, true},
                                 {"dbrx", Pieces::kLlama3, false},
                                 {"smaug-bpe", Pieces::kLlama3, false},
                                 {"qwen2", Pieces::kQwen2, false},
                                 {"stablelm2", Pieces::kQwen2, false},
                                 {"gpt-4o", Pieces::kGpt4o, false},
                                 {"llama4", Pieces::kGpt4o, false}};

constexpr const char* kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kGpt4oPattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

Spec spec_of(Pieces pieces) {
  const auto split = [](const char* pattern) {
    return Spec{.steps = {{.kind = Spec::Kind::kRegex, .pattern = pattern, .is_grouped = false}}};
  };
  switch (pieces) {
    case Pieces::kGpt2Digits:
      return {.steps = {{.kind = Spec::Kind::kDigits, .pattern = "", .is_grouped = false}, {}}};
    case Pieces::kLlama3: return split(kLlama3Pattern);
    case Pieces::kQwen2: return split(kQwen2Pattern);
    case Pieces::kGpt4o: return split(kGpt4oPattern);
    case Pieces::kGpt2: break;
  }
  return {};
}

// Of a regular expression, which has several spellings.
std::optional<Pieces> pieces_of_pattern(const std::string& pattern) {
  const auto rules = find_word_rules(pattern);
  if (!rules) return covers_every_text(pattern) ? std::optional(Pieces::kGpt2) : std::nullopt;
  if (rules->is_cased) {
    return rules->max_digits == 3 ? std::optional(Pieces::kGpt4o) : std::nullopt;
  }
  return rules->max_digits == 3 ? Pieces::kLlama3 : Pieces::kQwen2;
}

std::optional<Pieces> pieces_of(const Spec::Step& step) {
  if (step.kind == Spec::Kind::kGpt2) return Pieces::kGpt2;
  return step.kind == Spec::Kind::kRegex ? pieces_of_pattern(step.pattern) : std::nullopt;
}

bool cuts_digits(const Spec::Step& step) {
  return (step.kind == Spec::Kind::kDigits && !step.is_grouped) ||
         (step.kind == Spec::Kind::kRegex && step.pattern == R"(\p{N})");
}

std::optional<Pieces> pieces_of(const Spec& spec) {
  if (spec.steps.size() == 1) return pieces_of(spec.steps[0]);
  if (spec.steps.size() == 2 && cuts_digits(spec.steps[0]) &&
      pieces_of(spec.steps[1]) == Pieces::kGpt2) {
    return Pieces::kGpt2Digits;
  }
  return std::nullopt;
}

// The types of tokens. Source: llama.h, enum llama_token_type.
enum class TokenType : int64_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

// Lists and ids of the metadata.
constexpr const char *kModel = "tokenizer.ggml.model", *kPre = "tokenizer.ggml.pre",
                     *kTokens = "tokenizer.ggml.tokens", *kTypes = "tokenizer.ggml.token_type",
                     *kMerges = "tokenizer.ggml.merges", *kBegin = "tokenizer.ggml.bos_token_id",
                     *kEnd = "tokenizer.ggml.eos_token_id",
                     *kEndOfTurn = "tokenizer.ggml.eot_token_id",
                     *kTurns = "inkstone.turn_template";

void require_gpt2_model(const Gguf& gguf) {
  const std::string_view model = required(gguf.get_string(kModel), kModel);
  if (model == "gpt2") return;
  fail(ErrorCode::kUnsupported, "'{}' is '{}', only 'gpt2' is supported", kModel,
       shown_text(model));
}

const PreName& find_pre_name(const Gguf& gguf) {
  // Files of before May 2024 name none.
  const bool is_gpt2 = gguf.get_string("general.architecture") == "gpt2";
  const auto stored = gguf.get_string(kPre);
  if (!stored && !is_gpt2) fail_missing_key(kPre);
  const std::string_view name = stored.value_or("gpt-2");
  const auto* at = std::ranges::find(kPreNames, name, &PreName::name);
  if (at != std::end(kPreNames)) return *at;
  std::string known;
  for (const PreName& one : kPreNames) known += (known.empty() ? "" : ", ") + std::string(one.name);
  fail(ErrorCode::kUnsupported, "'{}' is '{}', expected one of {}", kPre, shown_text(name), known);
}

// An id that the file names; ids beyond any vocabulary stand for none.
std::optional<TokenId> read_id(const Gguf& gguf, const char* key) {
  const auto id = gguf.get_integer(key, INT32_MIN, UINT32_MAX);
  if (!id || *id < 0 || *id > kMaxTokenId) return std::nullopt;
  return static_cast<TokenId>(*id);
}

void read_roles(const Gguf& gguf, SpecialRoles& roles) {
  roles.begin_id = read_id(gguf, kBegin);
  for (const char* key : {kEnd, kEndOfTurn}) {
    if (const auto id = read_id(gguf, key)) roles.end_ids.push_back(*id);
  }
}

// Without a list all tokens are normal, but for those of a role.
std::vector<int64_t> read_types(const Gguf& gguf, const SpecialRoles& roles, size_t tokens) {
  if (auto types = gguf.get_integers(kTypes)) {
    if (types->size() == tokens) return *std::move(types);
    fail(ErrorCode::kInvalidData, "'{}' has {} values, expected {}: one for each of '{}'", kTypes,
         types->size(), tokens, kTokens);
  }
  std::vector<int64_t> types(tokens, static_cast<int64_t>(TokenType::kNormal));
  const auto make_control = [&](TokenId id) {
    if (static_cast<size_t>(id) < tokens)
      types[static_cast<size_t>(id)] = static_cast<int64_t>(TokenType::kControl);
  };
  if (roles.begin_id) make_control(*roles.begin_id);
  for (const TokenId id : roles.end_ids) make_control(id);
  return types;
}

void add_special_token(std::string_view text, TokenId id, bool is_control, TokenizerSpec& spec) {
  spec.special_tokens.push_back({.text = std::string(text), .id = id, .is_control = is_control});
}

void add_token(std::string_view text, TokenId id, TokenType type, TokenizerSpec& spec) {
  switch (type) {
    case TokenType::kByte:
      // In the byte alphabet, as every token; "<0x0A>" would be six bytes.
      if (text.empty() || static_cast<size_t>(decode_utf8(text, 0).size_bytes) != text.size()) {
        fail(ErrorCode::kUnsupported, "token {}, '{}', is of the type byte and no single character",
             id, shown_text(text));
      }
      [[fallthrough]];
    case TokenType::kNormal: spec.vocabulary.push_back({std::string(text), id}); return;
    case TokenType::kUnknown:
    case TokenType::kControl: return add_special_token(text, id, true, spec);
    case TokenType::kUserDefined: return add_special_token(text, id, false, spec);
    case TokenType::kUnused: return;
  }
}

void read_tokens(const Gguf& gguf, TokenizerSpec& spec) {
  const auto tokens = required(gguf.get_strings(kTokens), kTokens);
  if (tokens.size() > size_t{kMaxTokenId} + 1) {
    fail(ErrorCode::kInvalidData, "'{}' has {} values, expected at most {}", kTokens, tokens.size(),
         kMaxTokenId + 1);
  }
  const std::vector<int64_t> types = read_types(gguf, spec.roles, tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (types[id] < 1 || types[id] > 6) {
      fail(ErrorCode::kInvalidData, "token {}, '{}', is of type {}, expected 1 to 6", id,
           shown_text(tokens[id]), types[id]);
    }
    add_token(tokens[id], static_cast<TokenId>(id), static_cast<TokenType>(types[id]), spec);
  }
}

void read_merges(const Gguf& gguf, TokenizerSpec& spec) {
  for (const std::string_view line : required(gguf.get_strings(kMerges), kMerges)) {
    auto merge = split_merge(line);
    if (!merge) {
      fail(ErrorCode::kInvalidData, "merge {} is '{}', expected two tokens with a space between",
           spec.merges.size() + 1, shown_text(line));
    }
    spec.merges.push_back(*std::move(merge));
  }
}

// The name that a tokenizer is written by.
std::string_view pre_name_of(const Tokenizer::Impl& t) {
  if (t.type != TokenizerType::kBpe) {
    fail(ErrorCode::kUnsupported,
         "a vocabulary of characters or bytes has no merges, which a GGUF file must have");
  }
  if (t.is_nfc) fail(ErrorCode::kUnsupported, "a GGUF file cannot name the normalizer NFC");
  if (t.pre_tokenizer.add_prefix_space) {
    fail(ErrorCode::kUnsupported, "a GGUF file cannot name 'add_prefix_space' of a ByteLevel");
  }
  const auto pieces = pieces_of(t.pre_tokenizer);
  const auto* at = std::ranges::find_if(kPreNames, [&](const PreName& one) {
    return one.pieces == pieces && one.ignore_merges == t.ignore_merges;
  });
  if (at != std::end(kPreNames)) return at->name;
  fail(ErrorCode::kUnsupported, "the tokenizer's pre_tokenizer has no name in GGUF files");
}

// The texts of the ids of a model, and their types.
struct TokenLists {
  std::vector<std::string> texts;
  std::vector<int32_t> types;
};

TokenLists token_lists(const Tokenizer::Impl& t, std::vector<std::string> texts,
                       int64_t vocab_size) {
  TokenLists lists{.texts = std::move(texts), .types = {}};
  lists.texts.resize(static_cast<size_t>(vocab_size));
  lists.types.assign(lists.texts.size(), static_cast<int32_t>(TokenType::kNormal));
  for (const SpecialToken& token : t.special_tokens.all()) {
    lists.types[static_cast<size_t>(token.id)] = static_cast<int32_t>(
        token.is_control ? TokenType::kControl : TokenType::kUserDefined);
  }
  // llama.cpp refuses a text that is there twice.
  std::unordered_set<std::string> seen(lists.texts.begin(), lists.texts.end());
  for (size_t id = 0; id < lists.texts.size(); ++id) {
    std::string& text = lists.texts[id];
    if (!text.empty()) continue;
    text = fmt::format("[PAD{}]", id);
    while (!seen.insert(text).second) text += "_";
    lists.types[id] = static_cast<int32_t>(TokenType::kUnused);
  }
  return lists;
}

}  // namespace

TokenizerSpec read_gguf_tokenizer(const Gguf& gguf) {
  require_gpt2_model(gguf);
  const PreName& pre = find_pre_name(gguf);
  TokenizerSpec spec;
  spec.pre_tokenizer = spec_of(pre.pieces);
  spec.ignore_merges = pre.ignore_merges;
  read_roles(gguf, spec.roles);
  read_tokens(gguf, spec);
  read_merges(gguf, spec);
  spec.files.turns = gguf.get_string(kTurns).value_or("");
  return spec;
}

std::vector<GgufEntry> gguf_tokenizer_metadata(const Tokenizer& tokenizer, int64_t vocab_size) {
  const Tokenizer::Impl& t = tokenizer.impl();
  const std::string_view pre = pre_name_of(t);
  if (t.vocabulary.size() > vocab_size) {
    fail(ErrorCode::kMismatch, "the tokenizer has {} ids, the model {}", t.vocabulary.size(),
         vocab_size);
  }
  if (!t.roles.end) {
    fail(ErrorCode::kUnsupported,
         "the vocabulary has no end mark, and llama.cpp takes token 11 for it where a GGUF file "
         "names none");
  }
  const std::vector<std::string> texts = token_texts(t);
  const TokenLists lists = token_lists(t, texts, vocab_size);
  std::vector<GgufEntry> entries = {
      gguf_string(kModel, "gpt2"), gguf_string(kPre, pre), gguf_strings(kTokens, lists.texts),
      gguf_i32s(kTypes, lists.types), gguf_strings(kMerges, merge_lines(t, texts))};
  entries.push_back(gguf_u32(kBegin, static_cast<uint32_t>(t.roles.begin.value_or(*t.roles.end))));
  entries.push_back(gguf_u32(kEnd, static_cast<uint32_t>(*t.roles.end)));
  if (t.roles.end_marks.size() > 1) {
    entries.push_back(gguf_u32(kEndOfTurn, static_cast<uint32_t>(t.roles.end_marks[1])));
  }
  entries.push_back(gguf_bool("tokenizer.ggml.add_bos_token", false));
  if (const TurnTemplate* turns = tokenizer.turn_template()) {
    entries.push_back(gguf_string("tokenizer.chat_template", jinja_of(*turns)));
    entries.push_back(gguf_string(kTurns, to_json_text(*turns)));
  }
  return entries;
}

}  // namespace inkstone
