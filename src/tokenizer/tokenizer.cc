#include "inkstone/tokenizer.h"

#include <algorithm>
#include <unordered_set>

#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/tokenizer_impl.h"
#include "tokenizer/tokenizer_json.h"
#include "tokenizer/vocab_merges.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;
using TextSource = std::function<std::optional<std::string>()>;

constexpr uint64_t kMaxFile_bytes = uint64_t{1} << 30;
// From here on a memo of pieces is worth making.
constexpr size_t kLongText_bytes = size_t{16} << 10;

TokenizerSpec read_vocab_and_merges(const fs::path& vocab, const fs::path& merges) {
  const fs::path added = vocab.parent_path() / "added_tokens.json";
  return parse_vocab_and_merges(
      read_file(vocab, kMaxFile_bytes), read_file(merges, kMaxFile_bytes),
      fs::exists(added) ? read_file(added, kMaxFile_bytes) : std::string());
}

std::optional<TokenizerSpec> read_files_of(const fs::path& folder) {
  if (const fs::path json = folder / "tokenizer.json"; fs::exists(json)) {
    return with_context("tokenizer.json", [&] {
      return parse_tokenizer_json(read_file(json, kMaxFile_bytes));
    });
  }
  constexpr std::pair<const char*, const char*> kPairs[] = {{"vocab.json", "merges.txt"},
                                                            {"encoder.json", "vocab.bpe"}};
  for (const auto& [vocab, merges] : kPairs) {
    if (fs::exists(folder / vocab) && fs::exists(folder / merges)) {
      return read_vocab_and_merges(folder / vocab, folder / merges);
    }
  }
  return std::nullopt;
}

TokenizerSpec read_folder(const fs::path& folder) {
  for (const fs::path& place : {folder, folder / "best", folder / "last"}) {  // a run folder's checkpoints
    if (auto spec = read_files_of(place)) return *std::move(spec);
  }
  fail(ErrorCode::kNotFound,
       "no tokenizer there, expected tokenizer.json, or vocab.json and merges.txt, or encoder.json "
       "and vocab.bpe");
}

// The checks that keep a special token apart from the ordinary ones.
void check_special_tokens(const TokenizerTrainOptions& options) {
  std::unordered_set<std::string> seen;
  for (const std::string& text : options.special_tokens) {
    if (!is_valid_utf8(text)) fail(ErrorCode::kUsage, "a special token is not valid UTF-8");
    if (text.empty() || static_cast<size_t>(decode_utf8(text, 0).size_bytes) == text.size()) {
      fail(ErrorCode::kUsage,
           "special token '{}' is too short, at least two characters are expected", text);
    }
    if (text.size() == 6 && text.starts_with("<0x") && text.ends_with('>')) {
      fail(ErrorCode::kUsage, "special token '{}' would be taken for the token of a byte", text);
    }
    if (!seen.insert(text).second)
      fail(ErrorCode::kUsage, "special token '{}' is listed twice", text);
  }
}

// Special tokens take the first ids, as with Hugging Face's trainers.
TokenizerSpec start_spec(const TokenizerTrainOptions& options) {
  TokenizerSpec spec;
  spec.type = options.type;
  for (const std::string& text : options.special_tokens) {
    spec.special_tokens.push_back(
        {.text = text, .id = static_cast<TokenId>(spec.special_tokens.size())});
  }
  return spec;
}

void append(TokenizerSpec& spec, std::string text) {
  const size_t id = spec.special_tokens.size() + spec.vocabulary.size();
  spec.vocabulary.push_back({std::move(text), static_cast<TokenId>(id)});
}

// Calls use(text) with every text that is not empty; throws when there is none. `use` returns false
// to stop.
template <typename Use>
void for_each_text(const TextSource& next_text, Use&& use) {
  bool any = false;
  while (const std::optional<std::string> text = next_text()) {
    if (text->empty()) continue;
    any = true;
    if (!use(*text)) return;
  }
  if (!any) fail(ErrorCode::kInvalidData, "there is no text to learn a vocabulary from");
}

TokenizerSpec train_bpe(const TextSource& next_text, const TokenizerTrainOptions& options) {
  TokenizerSpec spec = start_spec(options);
  const int64_t fixed = 256 + static_cast<int64_t>(options.special_tokens.size());
  if (options.vocab_size < fixed || options.vocab_size > kMaxTokenId) {
    fail(ErrorCode::kUsage,
         "a vocabulary of {} tokens, expected {} (256 bytes and {} special tokens) to {}",
         options.vocab_size, fixed, options.special_tokens.size(), kMaxTokenId);
  }
  BpeTrainOptions bpe{.vocab_size = options.vocab_size,
                      .min_frequency = options.min_frequency,
                      .first_id = static_cast<TokenId>(options.special_tokens.size()),
                      .reserved = {}};
  for (const std::string& text : options.special_tokens) {
    if (auto bytes = from_byte_alphabet(text)) bpe.reserved.push_back(*std::move(bytes));
  }
  PieceCounts counts;
  for_each_text(next_text, [&](const std::string& text) { return counts.add(text), true; });
  const LearnedBpe learned = learn_bpe(counts, bpe);
  for (const std::string& token : learned.tokens) append(spec, to_byte_alphabet(token));
  for (const Merge& merge : learned.merges) {
    const auto text = [&](TokenId id) {
      return spec.vocabulary[static_cast<size_t>(id - bpe.first_id)].text;
    };
    spec.merges.emplace_back(text(merge.left), text(merge.right));
  }
  return spec;
}

// The characters in order of their code points, then the bytes that no character of one byte stands
// for.
TokenizerSpec train_char(const TextSource& next_text, const TokenizerTrainOptions& options) {
  std::vector<bool> seen(0x110000);
  for_each_text(next_text, [&](const std::string& text) {
    for (size_t at = 0; at < text.size();) {
      const Utf8Step step = decode_utf8(text, at);
      if (step.ok) seen[step.code_point] = true;
      at += static_cast<size_t>(step.size_bytes);
    }
    return true;
  });
  TokenizerSpec spec = start_spec(options);
  for (uint32_t c = 0; c < seen.size(); ++c) {
    if (!seen[c]) continue;
    std::string text;
    append_utf8(text, c);
    append(spec, std::move(text));
  }
  for (uint32_t byte = 0; byte < 256; ++byte) {
    if (byte >= 0x80 || !seen[byte]) append(spec, byte_token_text(static_cast<uint8_t>(byte)));
  }
  return spec;
}

TokenizerSpec train_byte(const TextSource& next_text, const TokenizerTrainOptions& options) {
  for_each_text(next_text, [](const std::string&) { return false; });
  TokenizerSpec spec = start_spec(options);
  for (const uint8_t byte : bytes_in_alphabet_order()) {
    append(spec, to_byte_alphabet(std::string(1, static_cast<char>(byte))));
  }
  return spec;
}

TokenizerSpec train_spec(const TextSource& next_text, const TokenizerTrainOptions& options) {
  check_special_tokens(options);
  switch (options.type) {
    case TokenizerType::kBpe: return train_bpe(next_text, options);
    case TokenizerType::kChar: return train_char(next_text, options);
    case TokenizerType::kByte: return train_byte(next_text, options);
  }
  fail(ErrorCode::kInternal, "unknown tokenizer type {}", static_cast<int>(options.type));
}

}  // namespace

Tokenizer Tokenizer::load(const fs::path& folder_or_file) {
  return with_context("loading the tokenizer '" + folder_or_file.string() + "'", [&] {
    if (!fs::exists(folder_or_file)) fail(ErrorCode::kNotFound, "there is no such folder or file");
    return Tokenizer(std::make_shared<const Impl>(
        fs::is_directory(folder_or_file)
            ? read_folder(folder_or_file)
            : parse_tokenizer_json(read_file(folder_or_file, kMaxFile_bytes))));
  });
}

Tokenizer Tokenizer::train(const TextSource& next_text, const TokenizerTrainOptions& options) {
  return Tokenizer(std::make_shared<const Impl>(train_spec(next_text, options)));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, SpecialTokens special) const {
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3);
  EncodeScratch scratch;
  scratch.uses_memo = text.size() >= kLongText_bytes;
  impl_->encode(text, special, scratch, ids);
  return ids;
}

std::vector<ByteRange> Tokenizer::offsets(std::span<const TokenId> ids) const {
  std::vector<ByteRange> ranges;
  ranges.reserve(ids.size());
  size_t at = 0;
  for (const TokenId id : ids) {
    const size_t end = at + token_bytes(id).size();
    ranges.push_back({at, end});
    at = end;
  }
  return ranges;
}

bool Tokenizer::is_cut(std::string_view text, size_t at) const { return impl_->encoder->is_cut(text, at); }

std::string Tokenizer::decode(std::span<const TokenId> ids) const {
  size_t size_bytes = 0;
  for (const TokenId id : ids) size_bytes += token_bytes(id).size();
  std::string text;
  text.reserve(size_bytes);
  for (const TokenId id : ids) text += impl_->vocabulary.bytes(id);
  return text;
}

std::string_view Tokenizer::token_bytes(TokenId id) const {
  if (!impl_->vocabulary.contains(id)) {
    fail(ErrorCode::kInvalidData, "token id {} lies outside the vocabulary of {} ids", id,
         vocab_size());
  }
  return impl_->vocabulary.bytes(id);
}

int64_t Tokenizer::vocab_size() const { return impl_->vocabulary.size(); }

std::optional<TokenId> Tokenizer::special_token(std::string_view text) const {
  return impl_->special_tokens.id_of(text);
}

std::optional<TokenId> Tokenizer::token_id(std::string_view bytes) const {
  return impl_->vocabulary.find(bytes);
}

TokenizerType Tokenizer::type() const { return impl_->type; }

void Tokenizer::save(const fs::path& folder) const {
  with_context("saving the tokenizer in '" + folder.string() + "'",
               [&] { save_tokenizer(*impl_, folder); });
}

}  // namespace inkstone
