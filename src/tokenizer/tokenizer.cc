#include "inkstone/tokenizer.h"

#include "base/error.h"
#include "base/file.h"
#include "base/lfs_pointer.h"
#include "formats/hf_config.h"
#include "inkstone/turns.h"
#include "tokenizer/gguf_tokenizer.h"
#include "tokenizer/tokenizer_impl.h"
#include "tokenizer/tokenizer_json.h"
#include "tokenizer/vocab_merges.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxFile_bytes = uint64_t{1} << 30;
// From here on a memo of pieces is worth making.
constexpr size_t kLongText_bytes = size_t{16} << 10;

std::string read_part(const fs::path& path) {
  std::string text = read_file(path, kMaxFile_bytes);
  refuse_lfs_pointer(path, text);
  return text;
}

std::string read_if_there(const fs::path& path) {
  return fs::exists(path) ? read_part(path) : std::string();
}

TokenizerSpec read_tokenizer_json(const fs::path& path) {
  std::string text = read_part(path);
  TokenizerSpec spec = parse_tokenizer_json(text);
  spec.files.tokenizer = std::move(text);
  return spec;
}

TokenizerSpec read_vocab_and_merges(const fs::path& vocab, const fs::path& merges) {
  return parse_vocab_and_merges(read_part(vocab), read_part(merges),
                                read_if_there(vocab.parent_path() / "added_tokens.json"));
}

// What the files beside a vocabulary say of its tokens: its own, and those of the model.
void read_roles(const fs::path& folder, TokenizerSpec& spec) {
  spec.files.config = read_if_there(folder / "tokenizer_config.json");
  spec.files.map = read_if_there(folder / "special_tokens_map.json");
  spec.files.turns = read_if_there(folder / kTurnTemplateFile);
  spec.roles = read_special_roles(spec.files);
  const HfSpecialIds ids = special_ids_of(read_hf_config_files(folder));
  spec.roles.begin_id = ids.begin;
  spec.roles.end_ids = ids.end;
}

std::optional<TokenizerSpec> read_vocabulary_of(const fs::path& folder) {
  if (const fs::path json = folder / "tokenizer.json"; fs::exists(json)) {
    return with_context("tokenizer.json", [&] { return read_tokenizer_json(json); });
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
  // A run folder's checkpoints.
  for (const fs::path& place : {folder, folder / "best", folder / "last"}) {
    auto spec = read_vocabulary_of(place);
    if (!spec) continue;
    read_roles(place, *spec);
    return *std::move(spec);
  }
  fail(ErrorCode::kNotFound,
       "no tokenizer there, expected tokenizer.json, or vocab.json and merges.txt, or encoder.json "
       "and vocab.bpe");
}

// One file under another name stands alone.
TokenizerSpec read_path(const fs::path& path) {
  if (fs::is_directory(path)) return read_folder(path);
  if (is_gguf(path)) return read_gguf_tokenizer(GgufFile(path).content());
  TokenizerSpec spec = read_tokenizer_json(path);
  if (path.filename() == "tokenizer.json") read_roles(path.parent_path(), spec);
  return spec;
}

}  // namespace

Tokenizer Tokenizer::load(const fs::path& folder_or_file) {
  return with_context(message("loading the tokenizer '{}'", folder_or_file.string()), [&] {
    if (!fs::exists(folder_or_file)) fail(ErrorCode::kNotFound, "there is no such folder or file");
    Tokenizer tokenizer(std::make_shared<const Impl>(read_path(folder_or_file)));
    if (const std::string& turns = tokenizer.impl().files.turns; !turns.empty()) {
      with_context(kTurnTemplateFile,
                   [&] { tokenizer = tokenizer.with_turn_template(parse_turn_template(turns)); });
    }
    return tokenizer;
  });
}

Tokenizer Tokenizer::with_turn_template(TurnTemplate turns) const {
  Tokenizer other = *this;
  other.turns_ = std::make_shared<const TurnTemplate>(std::move(turns));
  return other;
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

bool Tokenizer::is_cut(std::string_view text, size_t at) const {
  return impl_->encoder->is_cut(text, at);
}

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

std::optional<TokenId> Tokenizer::end_of_text() const { return impl_->roles.end; }

std::optional<TokenId> Tokenizer::begin_of_text() const { return impl_->roles.begin; }

const std::vector<TokenId>& Tokenizer::end_marks() const { return impl_->roles.end_marks; }

std::optional<TokenId> Tokenizer::first_special_token(std::string_view text) const {
  std::optional<TokenId> first;
  impl_->special_tokens.split(
      text, [](std::string_view) {},
      [&](TokenId id, size_t) {
        if (!first) first = id;
      });
  return first;
}

std::optional<TokenId> Tokenizer::token_id(std::string_view bytes) const {
  return impl_->vocabulary.find(bytes);
}

TokenizerType Tokenizer::type() const { return impl_->type; }

void Tokenizer::save(const fs::path& folder) const {
  with_context(message("saving the tokenizer in '{}'", folder.string()),
               [&] { save_tokenizer(*impl_, turns_.get(), folder); });
}

}  // namespace inkstone
