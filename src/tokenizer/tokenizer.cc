#include "inkstone/tokenizer.h"

#include "base/error.h"
#include "base/file.h"
#include "tokenizer/tokenizer_impl.h"
#include "tokenizer/tokenizer_json.h"
#include "tokenizer/vocab_merges.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;

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
    return with_context("tokenizer.json",
                        [&] { return parse_tokenizer_json(read_file(json, kMaxFile_bytes)); });
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
    if (auto spec = read_files_of(place)) return *std::move(spec);
  }
  fail(ErrorCode::kNotFound,
       "no tokenizer there, expected tokenizer.json, or vocab.json and merges.txt, or encoder.json "
       "and vocab.bpe");
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

std::optional<TokenId> Tokenizer::token_id(std::string_view bytes) const {
  return impl_->vocabulary.find(bytes);
}

TokenizerType Tokenizer::type() const { return impl_->type; }

void Tokenizer::save(const fs::path& folder) const {
  with_context("saving the tokenizer in '" + folder.string() + "'",
               [&] { save_tokenizer(*impl_, folder); });
}

}  // namespace inkstone
